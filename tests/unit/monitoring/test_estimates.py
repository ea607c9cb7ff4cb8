"""A classifier's metric is estimated from its scores before labels land, said to be an estimate, and held against the truth afterwards."""

from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.monitoring.test_performance import project as of_target
from tests.unit.monitoring.traffic import START, window

from driftloop.monitoring.estimates import calibrated, expected
from driftloop.monitoring.performance import performance_reports
from driftloop.rows.probabilities import encode
from driftloop.statistics.intervals import value
from driftloop.statistics.metrics import for_task
from driftloop.statistics.profile import CalibrationCurve, Profile
from driftloop.statistics.task_metric import ModelOutput

RNG = np.random.default_rng(11)
N = 20_000
P = RNG.beta(1, 2, N)  # the truth of each row
TRUTH = RNG.random(N) < P
NAMES = np.array(["a", "b", "c"], object)
OF_CLASS = RNG.dirichlet((1, 1, 1), N)
KIND = NAMES[(OF_CLASS.cumsum(axis=1) < RNG.random(N)[:, None]).sum(axis=1)]
SAID = NAMES[OF_CLASS.argmax(axis=1)]


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss", "brier", "accuracy", "f1", "balanced_accuracy"])
def test_of_a_binary_model_whose_scores_are_right_every_metric_is_estimated_before_a_label_has_landed(metric):
    output = ModelOutput(P > 0.5, P)
    found = for_task(metric, "binary")
    assert expected(found, output, None) == pytest.approx(value(found, TRUTH, output), abs=0.015)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier"])
def test_of_several_classes_metrics_of_their_probabilities_are_estimated(metric):
    output = ModelOutput(SAID, OF_CLASS.max(axis=1), OF_CLASS, ("a", "b", "c"))
    found = for_task(metric, "multiclass")
    assert expected(found, output, None) == pytest.approx(value(found, KIND, output), abs=0.02)


def test_of_several_classes_without_probabilities_the_share_of_hits_is_estimated_and_no_more():
    output = ModelOutput(SAID, OF_CLASS.max(axis=1))
    assert expected(for_task("accuracy", "multiclass"), output, None) == pytest.approx(np.mean(SAID == KIND), abs=0.015)
    assert expected(for_task("f1", "multiclass"), output, None) is None


def test_scores_that_are_sure_of_too_much_are_set_right_by_the_curve():
    bold = np.clip(0.5 + (P - 0.5) * 1.8, 0, 1)
    points = np.linspace(0, 1, 21)
    near = [np.abs(bold - s) < 0.05 for s in points]
    curve = CalibrationCurve(
        scores=tuple(points), positives=tuple(float(TRUTH[n].mean()) for n in near), rows=tuple(int(n.sum()) for n in near)
    )
    output, metric = ModelOutput(bold > 0.5, bold), for_task("brier", "binary")
    true = value(metric, TRUTH, output)
    assert abs(expected(metric, output, curve) - true) < 0.005 < abs(expected(metric, output, None) - true)


def test_calibrated_class_probabilities_still_add_up_in_the_estimate():
    flat = CalibrationCurve(scores=(0.0, 1.0), positives=(0.7, 0.7))
    output = ModelOutput(SAID, OF_CLASS.max(axis=1), OF_CLASS, ("a", "b", "c"))
    sure = for_task("brier", "multiclass")
    by_hand = [
        0.7 * ((OF_CLASS[i] - (SAID[i] == NAMES)) ** 2).sum()
        + sum(
            0.3 * OF_CLASS[i, k] / (1 - OF_CLASS[i].max()) * ((OF_CLASS[i] - (NAMES[k] == NAMES)) ** 2).sum()
            for k in range(3)
            if NAMES[k] != SAID[i]
        )
        for i in range(500)
    ]
    first = output.where(np.arange(N) < 500)
    assert expected(sure, first, flat) == pytest.approx(np.mean(by_hand))


def test_the_curve_is_followed_between_its_points_and_holds_beyond_them():
    curve = CalibrationCurve(scores=(0.2, 0.4), positives=(0.1, 0.5))
    assert calibrated(np.array([0.0, 0.2, 0.3, 0.9]), curve).tolist() == pytest.approx([0.1, 0.1, 0.3, 0.5])
    assert calibrated(np.array([0.3]), CalibrationCurve(scores=(), positives=())).tolist() == [0.3]


def test_nothing_is_estimated_where_it_cannot_be():
    assert expected(for_task("mae", "regression"), ModelOutput(P, P), None) is None
    assert expected(for_task("brier", "binary"), ModelOutput(P > 1, P * 3), None) is None  # no probabilities
    none = np.array([], float)
    assert expected(for_task("brier", "binary"), ModelOutput(none > 0, none), None) is None


def table(n: int, labelled: int) -> pa.Table:
    times, missing = pa.array([START] * n, pa.timestamp("us", tz="UTC")), np.arange(n) >= labelled
    return pa.table(
        {
            "event_time": times,
            "prediction": pa.array(P[:n] > 0.5),
            "score": pa.array(P[:n]),
            "model_version": pa.array([1] * n),
            "label": pa.array(TRUTH[:n], mask=missing),
            "label_time": pa.array([START + timedelta(minutes=1)] * n, times.type, mask=missing),
        }
    )


def profile(curve: CalibrationCurve | None):
    return lambda version: Profile(stream="s", schema_fingerprint="f", rows=1, columns={}, calibration=curve)


def test_a_report_has_the_estimate_before_labels_land_and_its_error_when_they_have():
    metric = of_target("boolean", "brier")
    before, after = (list(performance_reports(metric, window(0), table(2000, n), 1, 1)) for n in (0, 2000))
    assert all(together.estimate is msgspec.UNSET for together in (before[0], after[0]))  # versions have curves of their own
    assert (before[1].measured, before[1].estimate.error, before[1].estimate.calibrated) == (None, None, False)
    assert before[1].estimate.value == after[1].estimate.value == pytest.approx(np.mean(P[:2000] * (1 - P[:2000])))
    assert after[1].estimate.error == pytest.approx(after[1].estimate.value - after[1].measured.value)
    curve = CalibrationCurve(scores=(0.0, 1.0), positives=(0.0, 1.0))
    _, known = performance_reports(metric, window(0), table(2000, 0), 1, 1, profile_of=profile(curve))
    assert known.estimate.calibrated


def test_a_regression_has_no_estimate():
    n = 50
    numbers = table(n, n).set_column(1, "prediction", pa.array(P[:n])).set_column(4, "label", pa.array(P[:n] + 0.1))
    _, report = performance_reports(of_target("number", "mae"), window(0), numbers, 1, 1)
    assert report.estimate is msgspec.UNSET


def test_several_classes_are_estimated_from_recorded_probabilities():
    n = 500
    rows = table(n, 0).set_column(1, "prediction", pa.array(SAID[:n], pa.string()))
    rows = rows.set_column(2, "score", pa.array(OF_CLASS[:n].max(axis=1)))
    rows = rows.set_column(4, "label", pa.nulls(n, pa.string())).append_column("probabilities", encode(OF_CLASS[:n], ["a", "b", "c"]))
    _, report = performance_reports(of_target("category", "brier"), window(0), rows, 1, 1)
    assert report.estimate.value == pytest.approx(np.mean(1 - (OF_CLASS[:n] ** 2).sum(axis=1)))
