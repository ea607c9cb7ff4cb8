"""A window's rows are measured by the project's metric, from what the metric needs of them."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as theirs
from tests.unit.monitoring.traffic import CONFIG, START, window

from driftloop.monitoring.performance import performance_reports
from driftloop.project.model import Project
from driftloop.project.reading import parse_project

RNG = np.random.default_rng(3)
N = 200
TRUTH, SCORE = RNG.random(N) < 0.4, np.round(RNG.random(N), 2)
AMOUNT = RNG.normal(10, 2, N)
KIND, GUESS = (np.array(["a", "b", "c"])[RNG.integers(0, 3, N)] for _ in range(2))


def project(target: str, metric: str) -> Project:
    config = CONFIG.format(name="shop", min_new_labels=50)
    config = config.replace('type = "boolean"\nmetric = "roc_auc"', f'type = "{target}"\nmetric = "{metric}"')
    return parse_project({"driftloop.toml": config.encode(), "pipeline.py": b"def build(): ..."}, "test")


def rows(label, prediction, score, missing=None) -> pa.Table:
    """One window's, all of version 1; labels are missing where the mask says so."""
    times = pa.array([START] * N, pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
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
