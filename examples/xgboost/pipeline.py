"""Which species? XGBoost numbers its classes, NamedClasses names them. An encoder passes over categories that XGBoost has not seen."""

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from xgboost import XGBClassifier

from driftloop.artifact.named_classes import NamedClasses

CATEGORIES = ["sex", "plot_id", "plot_type"]


def build() -> Pipeline:
    """A new, unfitted pipeline. Seed and threads are the run's; missing values stay missing."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    boosting = XGBClassifier(n_estimators=60, learning_rate=0.1, max_depth=5, reg_lambda=1.0)
    return make_pipeline(make_column_transformer((encoder, CATEGORIES), remainder="passthrough"), NamedClasses(boosting))
