"""A window's rows are measured by the project's metric, from what the metric needs of them."""

from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn import metrics as theirs
from tests.unit.monitoring.traffic import CONFIG, START, window

from driftloop.monitoring.performance import columns, content_digest, performance_reports, unknown_classes
from driftloop.project.model import Project
from driftloop.project.reading import parse_project
from driftloop.rows.probabilities import encode

RNG = np.random.default_rng(3)
N = 200
TRUTH, SCORE = RNG.random(N) < 0.4, np.round(RNG.random(N), 2)
AMOUNT = RNG.normal(10, 2, N)
KIND, GUESS = (np.array(["a", "b", "c"])[RNG.integers(0, 3, N)] for _ in range(2))


def project(target: str, metric: str) -> Project:
    config = CONFIG.format(name="shop", min_new_labels=50)
    config = config.replace('type = "boolean"\nmetric = "roc_auc"', f'type = "{target}"\nmetric = "{metric}"')
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": b"def build(): ..."}, "test")


def rows(label, prediction, score, missing=None, probabilities=None) -> pa.Table:
    """One window's, all of version 1; labels are missing where the mask says so."""
    times = pa.array([START] * N, pa.timestamp("us", tz="UTC"))
    more = {} if probabilities is None else {"probabilities": probabilities}
    return pa.table(
        more
        | {
            "event_time": times,
            "prediction": pa.array(prediction),
            "score": pa.array(score),
            "model_version": pa.array([1] * N),
            "label": pa.array(label, mask=missing),
            "label_time": pa.array([START + timedelta(minutes=1)] * N, times.type, mask=missing),
        }
    )


def measured(target: str, metric: str, table: pa.Table):
    together, by_version = performance_reports(project(target, metric), window(0), table, 1, 1)
    assert together.measured == by_version.measured
    assert together.metric == metric
    assert together.measured_rows == by_version.measured_rows
    return together.measured


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("roc_auc", theirs.roc_auc_score(TRUTH, SCORE)),
        ("log_loss", theirs.log_loss(TRUTH, SCORE)),
        ("f1", theirs.f1_score(TRUTH, SCORE > 0.5)),
    ],
)
def test_a_binary_target_is_measured_from_scores_or_from_predictions(metric, expected):
    found = measured("boolean", metric, rows(TRUTH, SCORE > 0.5, SCORE))
    assert found.value == pytest.approx(expected)
    assert found.lower < found.value < found.upper


def test_numbers_and_categories_are_measured_from_predictions():
    off_by_one = rows(AMOUNT, AMOUNT + 1, AMOUNT + 1)
    assert measured("number", "mae", off_by_one).value == pytest.approx(1)
    assert measured("number", "pinball:0.9", off_by_one).value == pytest.approx(0.1)
    found = measured("category", "balanced_accuracy", rows(KIND, GUESS, np.full(N, 0.4)))
    assert found.value == pytest.approx(theirs.balanced_accuracy_score(KIND, GUESS))


def test_rows_without_a_label_or_without_a_score_are_left_out():
    unlabelled, unscored = np.arange(N) < 50, (np.arange(N) >= 50) & (np.arange(N) < 80)
    table = rows(TRUTH, pa.array(SCORE > 0.5, mask=unscored), pa.array(SCORE, mask=unscored), unlabelled)
    assert measured("boolean", "brier", table).value == pytest.approx(theirs.brier_score_loss(TRUTH[80:], SCORE[80:]))


@pytest.mark.parametrize(
    ("target", "metric", "table"),
    [
        ("boolean", "roc_auc", rows(np.ones(N, bool), SCORE > 0.5, SCORE)),
        ("boolean", "log_loss", rows(TRUTH, SCORE > 0.5, SCORE, np.ones(N, bool))),
        ("number", "r2", rows(np.ones(N), AMOUNT, AMOUNT)),
        ("number", "rmse", rows(np.where(np.arange(N) == 7, np.nan, AMOUNT), AMOUNT, AMOUNT)),
        ("number", "mape", rows(np.where(np.arange(N) == 7, 0, AMOUNT), AMOUNT, AMOUNT)),
    ],
)
def test_a_metric_that_is_not_defined_on_the_window_is_absent(target, metric, table):
    assert measured(target, metric, table) is None


def maps(matrix, without=None) -> pa.Array:
    """The column of class probabilities, null where the mask says so."""
    column = encode(matrix, ["a", "b", "c"])
    return column if without is None else pc.if_else(pa.array(without), pa.nulls(len(column), column.type), column)


WEIGHTS = RNG.random((N, 3))
P = WEIGHTS / WEIGHTS.sum(axis=1, keepdims=True)
SAID, BEST = np.array(["a", "b", "c"])[P.argmax(axis=1)], P.max(axis=1)
OF_CLASSES = {
    "log_loss": lambda kept: theirs.log_loss(KIND[kept], P[kept]),
    "roc_auc": lambda kept: theirs.roc_auc_score(KIND[kept], P[kept], multi_class="ovr", average="macro"),
    "brier": lambda kept: ((P[kept] - (KIND[kept, None] == ["a", "b", "c"])) ** 2).sum(axis=1).mean(),
}


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_class_probabilities_are_measured_as_scikit_learn_measures_them(metric):
    found = measured("category", metric, rows(KIND, SAID, BEST, probabilities=maps(P)))
    assert found.value == pytest.approx(OF_CLASSES[metric](np.full(N, True)), rel=1e-12)
    assert found.lower < found.value < found.upper


@pytest.mark.parametrize("metric", OF_CLASSES)
def test_rows_of_before_there_were_probabilities_are_left_out_and_the_others_counted(metric):
    older, unlabelled = np.arange(N) < 60, np.arange(N) % 4 == 0
    table = rows(KIND, SAID, BEST, unlabelled, maps(P, older))
    report, _ = performance_reports(project("category", metric), window(0), table, 1, 1)
    kept = ~older & ~unlabelled
    assert report.measured.value == pytest.approx(OF_CLASSES[metric](kept), rel=1e-12)
    assert (report.measured_rows, report.labelled, report.rows) == (kept.sum(), (~unlabelled).sum(), N)


@pytest.mark.parametrize("table", [rows(KIND, SAID, BEST), rows(KIND, SAID, BEST, probabilities=maps(P, np.full(N, True)))])
def test_a_window_without_any_probabilities_is_not_measured_and_says_so(table):
    for metric in OF_CLASSES:
        together, by_version = performance_reports(project("category", metric), window(0), table, 1, 1)
        assert together.measured is by_version.measured is None
        assert (together.measured_rows, together.labelled) == (0, N)


def test_classes_that_one_of_two_models_does_not_know_have_probability_nought():
    two = np.column_stack([P[:, 0], 1 - P[:, 0], np.zeros(N)])
    first = np.arange(N) < 100
    narrow = encode(np.delete(two, 2, axis=1), ["a", "b"])
    together = np.where(first[:, None], two, P)
    table = rows(KIND, SAID, BEST, probabilities=pc.if_else(pa.array(first), narrow, maps(P)))
    assert measured("category", "log_loss", table).value == pytest.approx(theirs.log_loss(KIND, together), rel=1e-9)


@pytest.mark.parametrize(
    ("target", "metric", "table"),
    [
        ("boolean", "log_loss", rows(TRUTH, SCORE > 0.5, SCORE)),
        ("number", "mae", rows(AMOUNT, AMOUNT + 1, AMOUNT + 1)),
        ("category", "accuracy", rows(KIND, SAID, BEST)),
    ],
)
def test_reports_of_metrics_without_class_probabilities_are_as_they_were(target, metric, table):
    made = project(target, metric)
    report = next(performance_reports(made, window(0), table, 1, 1))
    assert "measured_rows" not in msgspec.json.decode(msgspec.json.encode(report))
    assert columns(made) == ("event_time", "prediction", "score", "model_version")
    assert columns(project("category", "log_loss")) == (*columns(made), "probabilities")


def test_a_report_on_other_rows_with_probabilities_tells_something_new():
    few, _ = performance_reports(project("boolean", "roc_auc"), window(0), rows(TRUTH, TRUTH, SCORE), 1, 1)
    again = msgspec.structs.replace(few, inferences_version=2, labels_version=5)
    assert content_digest(few) == content_digest(again)
    assert content_digest(few) != content_digest(msgspec.structs.replace(again, measured_rows=N - 1))


def test_labels_of_a_class_that_no_version_knows_are_counted_where_class_probabilities_are_read() -> None:
    known = np.array(["a", "b"])[RNG.integers(0, 2, N)]
    label = known.copy().astype("<U9")
    label[:7] = "cherimoya"
    missing = np.zeros(N, bool)
    missing[:2] = True  # not known yet
    probabilities = encode(np.full((N, 2), 0.5), ("a", "b"))
    assert unknown_classes(rows(label, known, SCORE, missing, probabilities)) == 5
    assert unknown_classes(rows(known, known, SCORE, missing, probabilities)) == 0
    assert unknown_classes(rows(label, known, SCORE, missing, encode(np.full((N, 2), np.nan), ("a", "b")))) == 0
    assert unknown_classes(rows(label, known, SCORE)) == 0


def test_a_report_without_lone_labels_has_the_content_that_releases_before_gave_it():
    """Else every window would be reported again after an update."""
    made = project("boolean", "roc_auc")
    report = next(performance_reports(made, window(0), rows(TRUTH, TRUTH, SCORE), 1, 1))
    earlier = msgspec.structs.replace(report, labels_without_inference=msgspec.UNSET)
    more = next(performance_reports(made, window(0), rows(TRUTH, TRUTH, SCORE), 1, 1, 3))
    assert report.labels_without_inference == 0
    assert content_digest(report) == content_digest(earlier) != content_digest(more)
