"""What rows that were held out tell of a model."""

import numpy as np
import pytest

from driftloop.statistics.held_out import LEAST_ROWS, MOST_BINS, calibration_curve, held_out_loss, row_losses
from driftloop.statistics.task_metric import ModelOutput


def binary(scores):
    scores = np.asarray(scores, dtype=float)
    return ModelOutput(scores >= 0.5, scores)


def test_a_rows_loss_is_its_part_of_the_brier_score_a_wrong_class_or_the_distance():
    assert row_losses("binary", np.array([True, False]), binary([0.8, 0.5])) == pytest.approx([0.04, 0.25])
    several = ModelOutput(np.array(["a", "b"], dtype=object), np.array([0.9, 0.4]))
    assert row_losses("multiclass", np.array(["a", "c"]), several).tolist() == [0.0, 1.0]
    values = np.array([3.0, -1.0])
    assert row_losses("regression", np.array([1.0, -2.0]), ModelOutput(values, values)).tolist() == [2.0, 1.0]


def test_the_loss_of_many_rows_is_their_mean_with_its_deviation_and_what_nearly_none_exceeds():
    values = np.arange(1000.0)
    found = held_out_loss("regression", np.zeros(1000), ModelOutput(values, values))
    assert (found.loss, found.rows, found.mean, found.high) == ("absolute", 1000, 499.5, 990.0)
    assert found.deviation == pytest.approx(values.std())


def test_few_rows_and_numbers_that_are_none_have_no_loss_and_no_curve():
    few = np.zeros(LEAST_ROWS - 1)
    assert held_out_loss("binary", few, binary(few)) is None
    assert calibration_curve("binary", few, binary(few)) is None
    bad = np.full(LEAST_ROWS, np.nan)
    assert held_out_loss("regression", np.zeros(LEAST_ROWS), ModelOutput(bad, bad)) is None
    assert calibration_curve("binary", np.zeros(LEAST_ROWS), ModelOutput(bad, bad)) is None
    assert calibration_curve("regression", np.zeros(100), ModelOutput(np.zeros(100), np.zeros(100))) is None


def test_a_curve_has_the_mean_score_and_the_share_of_positives_of_each_tenth():
    random = np.random.default_rng(0)
    truth = random.random(50_000)
    labels = random.random(50_000) < truth
    found = calibration_curve("binary", labels, binary(truth**2))  # scores that are too low
    assert len(found.scores) == MOST_BINS
    assert sum(found.rows) == 50_000
    assert found.scores == tuple(sorted(found.scores))
    assert np.sqrt(found.scores) == pytest.approx(found.positives, abs=0.03)


def test_equal_scores_are_in_one_bin_in_whatever_order():
    labels, scores = np.array([True, False] * 50), np.array([0.3] * 60 + [0.7] * 40)
    order = np.random.default_rng(1).permutation(100)
    found = calibration_curve("binary", labels, binary(scores))
    assert found == calibration_curve("binary", labels[order], binary(scores[order]))
    assert (found.scores, found.positives, found.rows) == (pytest.approx((0.3, 0.7)), (0.5, 0.5), (60, 40))


def test_of_several_classes_a_positive_is_a_right_answer():
    labels = np.array(["a"] * 60 + ["b"] * 40)
    output = ModelOutput(np.array(["a"] * 100, dtype=object), np.full(100, 0.9))
    assert calibration_curve("multiclass", labels, output).positives == (0.6,)
