"""What a window loses is a number between 0 and 1 for every task, or nothing that is said."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import brier_score_loss

from driftloop.contracts.values import LossMean
from driftloop.statistics.losses import error_scale, mean_loss
from driftloop.statistics.profile import SCORE, Column, HeldOutLoss, Profile

RNG = np.random.default_rng(5)
TRUTH, SCORE_OF = RNG.random(300) < 0.3, RNG.random(300)
AMOUNT = RNG.normal(10, 3, 300)


def profile(column: Column | None = None, held_out: HeldOutLoss | None = None) -> Profile:
    columns = {} if column is None else {SCORE: column}
    return Profile(stream="s", schema_fingerprint="f", rows=10, columns=columns, held_out_loss=held_out)


def test_a_binary_model_loses_the_brier_score():
    found = mean_loss("binary", TRUTH, SCORE_OF > 0.5, SCORE_OF, None)
    assert found == LossMean(loss="squared", mean=pytest.approx(brier_score_loss(TRUTH, SCORE_OF)), rows=300)


def test_scores_that_are_no_probabilities_and_several_classes_are_judged_by_the_prediction():
    said = SCORE_OF > 0.5
    expected = LossMean(loss="wrong", mean=pytest.approx(np.mean(said != TRUTH)), rows=300)
    assert mean_loss("binary", TRUTH, said, SCORE_OF * 3, None) == expected
    names = np.array(["a", "b"], object)
    assert mean_loss("multiclass", names[TRUTH.astype(int)], names[said.astype(int)], SCORE_OF, None) == expected


def test_a_regression_loses_its_error_in_units_of_the_scale_and_no_more_than_one():
    off = np.where(np.arange(300) < 100, 50.0, 1.0)
    found = mean_loss("regression", AMOUNT, AMOUNT + off, AMOUNT, 4.0)
    assert found == LossMean(loss="absolute", mean=pytest.approx((100 * 1 + 200 * 0.25) / 300), rows=300, scale=4.0)
    holes = np.where(np.arange(300) % 3 == 0, np.nan, AMOUNT)
    assert mean_loss("regression", holes, AMOUNT, AMOUNT, 4.0) == LossMean(loss="absolute", mean=0.0, rows=200, scale=4.0)


@pytest.mark.parametrize(("task", "scale"), [("binary", None), ("multiclass", None), ("regression", 1.0)])
def test_without_rows_there_is_no_loss(task, scale):
    none = np.array([], float)
    assert mean_loss(task, none, none, none, scale) is None


def test_a_regression_without_a_scale_or_without_finite_numbers_has_none():
    assert mean_loss("regression", AMOUNT, AMOUNT, AMOUNT, None) is None
    assert mean_loss("regression", np.full(3, np.nan), np.ones(3), np.ones(3), 1.0) is None


def test_the_scale_is_the_held_out_error_or_else_the_spread_of_the_predictions():
    values = np.arange(1.0, 101.0)
    column = Column(kind="ordered", low=1.0, uppers=tuple(values), counts=(0, 0, *[1] * 100, 0))
    held_out = HeldOutLoss(loss="absolute", rows=50, mean=1.0, deviation=1.0, high=7.0)
    assert error_scale(profile(column, held_out)) == 7.0
    assert error_scale(profile(column, HeldOutLoss(loss="absolute", rows=50, mean=0.0, deviation=0.0, high=0.0))) == 90.0
    assert error_scale(profile(column)) == 90.0


def test_a_version_that_predicts_one_number_or_whose_profile_is_lost_has_no_scale():
    assert error_scale(profile(Column(kind="ordered", low=3.0, uppers=(3.0,), counts=(0, 0, 10, 0)))) is None
    assert error_scale(profile(Column(kind="ordered", counts=(0, 0, 0)))) is None
    assert error_scale(profile(Column(kind="ordered", low=3.0, uppers=(3.0, 4.0), counts=(0, 0, 0, 0, 0)))) is None
    assert error_scale(Profile.lost()) is None


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-10, 10)


@given(st.lists(st.tuples(numbers, numbers), max_size=20), st.floats(1e-300, 1e300))
def test_a_loss_is_between_nought_and_one_whatever_the_numbers(pairs, scale):
    labels, predictions = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], float)
    found = mean_loss("regression", labels, predictions, predictions, scale)
    assert found is None or 0 <= found.mean <= 1
