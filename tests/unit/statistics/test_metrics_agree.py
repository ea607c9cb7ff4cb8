"""Every metric is scikit-learn's on weighted rows, wherever both are defined; the cases in which ours is not are listed here."""

import warnings
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import metrics as theirs
from tests.unit.statistics.labelled import CLASSES, EVERY_FORM, ROWS, Labelled, ids, value

TRUTHS = [False, True]


def ranked(score: Callable) -> Callable:
    """Not defined where all labels are alike."""
    return lambda r: score(r.labels, r.output.scores, sample_weight=r.weights) if len(set(r.labels)) == 2 else None


def predicted(score: Callable, **options) -> Callable:
    return lambda r: score(r.labels.tolist(), r.output.predictions.tolist(), sample_weight=r.weights, **options)


def f1(r: Labelled) -> float | None:
    return predicted(theirs.f1_score)(r) if r.labels.any() or r.output.predictions.any() else None


def r2(r: Labelled) -> float | None:
    return predicted(theirs.r2_score)(r) if len(set(r.labels)) > 1 else None


def mape(r: Labelled) -> float | None:
    return predicted(theirs.mean_absolute_percentage_error)(r) if r.labels.all() else None


def with_every_label(r: Labelled) -> tuple[list[str], np.ndarray]:
    """Classes and probabilities with a column of zeros for a class that the model does not know, as a row of it asks for."""
    unknown = "dog" in r.labels.tolist()
    columns = [r.output.probabilities, np.zeros((len(r.labels), 1))] if unknown else [r.output.probabilities]
    return [*CLASSES, *(["dog"] if unknown else [])], np.concatenate(columns, axis=1)


def roc_auc_of_classes(r: Labelled) -> float | None:
    """The macro mean of one against the rest, over the classes that there are; scikit-learn's own is nan when one is missing."""
    classes, probabilities = with_every_label(r)
    if set(classes) == set(r.labels):
        return theirs.roc_auc_score(
            r.labels.tolist(), probabilities, labels=classes, multi_class="ovr", average="macro", sample_weight=r.weights
        )
    areas = [
        theirs.roc_auc_score(r.labels == name, probabilities[:, i], sample_weight=r.weights)
        for i, name in enumerate(classes)
        if 0 < (r.labels == name).sum() < len(r.labels)
    ]
    return float(np.mean(areas)) if areas else None


def log_loss_of_classes(r: Labelled) -> float:
    classes, probabilities = with_every_label(r)
    return theirs.log_loss(r.labels.tolist(), probabilities, labels=classes, sample_weight=r.weights)


def brier_of_classes(r: Labelled) -> float:
    classes, probabilities = with_every_label(r)
    return theirs.brier_score_loss(r.labels.tolist(), probabilities, labels=classes, sample_weight=r.weights)


def brier(r: Labelled) -> float:
    return theirs.brier_score_loss(r.labels, r.output.scores, pos_label=True, sample_weight=r.weights)


def log_loss(r: Labelled) -> float:
    return theirs.log_loss(r.labels, r.output.scores, labels=TRUTHS, sample_weight=r.weights)


REFERENCES = {
    "roc_auc-binary": ranked(theirs.roc_auc_score),
    "roc_auc-multiclass": roc_auc_of_classes,
    "average_precision-binary": ranked(theirs.average_precision_score),
    "log_loss-binary": log_loss,
    "log_loss-multiclass": log_loss_of_classes,
    "brier-binary": brier,
    "brier-multiclass": brier_of_classes,
    "accuracy-binary": predicted(theirs.accuracy_score),
    "accuracy-multiclass": predicted(theirs.accuracy_score),
    "f1-binary": f1,
    "f1-multiclass": predicted(theirs.f1_score, average="macro"),
    "balanced_accuracy-binary": predicted(theirs.balanced_accuracy_score),
    "balanced_accuracy-multiclass": predicted(theirs.balanced_accuracy_score),
    "r2-regression": r2,
    "mae-regression": predicted(theirs.mean_absolute_error),
    "rmse-regression": predicted(theirs.root_mean_squared_error),
    "mape-regression": mape,
    "pinball:0.9-regression": predicted(theirs.mean_pinball_loss, alpha=0.9),
}


def reference(name: str):
    assert name in REFERENCES, f"REFERENCES: what scikit-learn calls {name}"
    return REFERENCES[name]


def test_every_metric_has_a_reference():
    assert set(ids) == set(REFERENCES), "REFERENCES: what scikit-learn calls the new metric, for each of its tasks"


@pytest.mark.parametrize(("metric", "name"), list(zip(EVERY_FORM, ids, strict=True)), ids=ids)
@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_it_is_scikit_learns(metric, name, data):
    of = data.draw(ROWS[metric.task])
    weighed = of.take(of.weights > 0)  # theirs counts a class that only rows of no weight have
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are missing on one side
        expected = reference(name)(weighed) if len(weighed.labels) else None
    found = value(metric, of)
    assert found == expected if expected is None or found is None else found == pytest.approx(expected, rel=1e-9, abs=1e-9)
