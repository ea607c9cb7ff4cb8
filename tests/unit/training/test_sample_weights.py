"""Weights go to the fit of a pipeline's last step, or the recipe that asks for them is refused."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from driftloop.errors import UserError
from driftloop.training.sample_weights import weights_parameter


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [
        (Ridge(), "sample_weight"),
        (make_pipeline(StandardScaler(), Ridge()), "ridge__sample_weight"),
        (make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), Ridge())), "pipeline__ridge__sample_weight"),
        (make_pipeline(TransformedTargetRegressor(DummyRegressor())), "transformedtargetregressor__sample_weight"),
        (GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1.0]}, cv=2), "ridge__sample_weight"),
    ],
    ids=["bare", "pipeline", "nested", "target", "search"],
)
def test_weights_reach_the_last_step(pipeline, name):
    """A row of weight zero leaves no trace."""
    assert weights_parameter(pipeline, "decay:4") == name
    x, y = np.arange(12.0).reshape(-1, 1), np.array([1.0, 2.0] * 3 + [50.0] * 6)
    weights = np.where(y < 50, 1.0, 1e-12)
    pipeline.fit(x, y, **{name: weights})
    assert pipeline.predict(x[:6]).mean() == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(
    ("pipeline", "kind"),
    [
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), "KNeighborsClassifier"),
        (make_pipeline(TransformedTargetRegressor(KNeighborsRegressor())), "KNeighborsRegressor"),
        (CalibratedClassifierCV(KNeighborsClassifier()), "KNeighborsClassifier"),  # would go on unweighted, with a warning
        (CalibratedClassifierCV(make_pipeline(LogisticRegression())), "CalibratedClassifierCV"),
        (3, "int"),
    ],
)
def test_an_estimator_that_takes_none_is_named(pipeline, kind):
    with pytest.raises(UserError, match=f"^decay:4 needs an estimator whose fit takes sample_weight; {kind} takes none$"):
        weights_parameter(pipeline, "decay:4")


def test_boosting_takes_them():
    assert weights_parameter(HistGradientBoostingRegressor(), "decay:4") == "sample_weight"
