"""An alarm that may be asked after every window is false in no more than α of all lives, and a rise is found within a stated time."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from driftloop.statistics.e_process import (
    FIRST_WINDOWS,
    MOST_EVIDENCE,
    NOTHING,
    LossWindow,
    first_windows_reference,
    loss_has_risen,
    reference_of,
)

ALPHA = 0.05
WINDOWS, LIVES = 200, 300


def share_ever_alarmed(draw, reference: float, rows: int, lives: int = LIVES) -> float:
    """Over lives of WINDOWS windows, each asked after every window: whether the evidence has ever been enough."""
    found = (loss_has_risen((LossWindow(x, rows) for x in draw(np.random.default_rng(seed))), reference) for seed in range(lives))
    return float(np.mean([evidence.highest >= 1 / ALPHA for evidence in found]))


def means(loss: float, rows: int, alike: int = 1):
    """Windows of a 0/1 loss whose rows come in runs of ``alike`` equal ones."""
    return lambda rng: rng.binomial(rows // alike, loss, WINDOWS) / (rows // alike)


@pytest.mark.parametrize(("loss", "rows"), [(0.2, 1000), (0.02, 300), (0.5, 200), (0.9, 50), (0.001, 100)])
def test_a_loss_at_its_reference_is_alarmed_in_no_more_than_alpha_of_all_lives(loss, rows):
    assert share_ever_alarmed(means(loss, rows), loss, rows) <= ALPHA


@pytest.mark.parametrize(("loss", "alike"), [(0.2, 10), (0.2, 100), (0.8, 20), (0.5, 250)])
def test_rows_that_depend_on_each_other_within_a_window_do_not_make_it_more(loss, alike):
    assert share_ever_alarmed(means(loss, 1000, alike), loss, 1000) <= ALPHA


def test_windows_of_many_or_few_rows_and_of_any_loss_below_the_reference_do_not_either():
    assert share_ever_alarmed(lambda rng: rng.beta(2, 6, WINDOWS), 0.25, 10_000) <= ALPHA  # much wider than rows alone would make it
    assert share_ever_alarmed(lambda rng: rng.random(WINDOWS) * 0.3, 0.2, 500) <= ALPHA


def test_a_rule_that_asks_for_two_standard_errors_would_be_wrong_in_nearly_every_life():
    """What the guarantee is worth: the same windows under a rule made for one look."""
    error = math.sqrt(0.2 * 0.8 / 1000)
    wrong = [(means(0.2, 1000)(np.random.default_rng(seed)) > 0.2 + 2 * error).any() for seed in range(LIVES)]
    assert np.mean(wrong) > 0.9


@pytest.mark.parametrize(("calm", "windows"), [(0, 9), (5, 12), (15, 14), (50, 16)])
def test_a_rise_of_three_standard_errors_is_found_within_so_many_windows_in_nine_of_ten_lives(calm, windows):
    error, found = math.sqrt(0.2 * 0.8 / 1000), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = rng.binomial(1000, [0.2] * calm + [0.2 + 3 * error] * windows) / 1000
        found += loss_has_risen([LossWindow(mean, 1000) for mean in x], 0.2).alarmed(ALPHA)
    assert found >= 90


@pytest.mark.parametrize("calm", [0, 5, 50, 200])
def test_a_loss_that_is_suddenly_many_times_its_reference_is_found_within_three_windows(calm):
    life = [LossWindow(0.02, 400)] * calm + [LossWindow(0.9, 400)] * 3
    assert not loss_has_risen(life[:-3], 0.021, 0.05).alarmed(0.05)
    assert loss_has_risen(life, 0.021, 0.05).alarmed(0.05)


def test_an_alarm_ends_when_the_loss_has_come_down_and_begins_again_when_it_rises():
    calm, high = [LossWindow(0.2, 1000)] * 12, [LossWindow(0.35, 1000)] * 12
    assert loss_has_risen(high, 0.2).alarmed(ALPHA)
    down = loss_has_risen(high + calm, 0.2)
    assert (down.alarmed(ALPHA), down.highest >= 1 / ALPHA, down.windows) == (False, True, 24)
    assert loss_has_risen(high + calm + high, 0.2).alarmed(ALPHA)


def test_windows_without_rows_say_nothing_and_no_window_is_no_evidence():
    high = [LossWindow(0.4, 500)] * 9
    with_gaps = [window for each in high for window in (LossWindow(0.0, 0), each)]
    assert loss_has_risen(with_gaps, 0.2) == loss_has_risen(high, 0.2)
    assert loss_has_risen([], 0.2) == NOTHING
    assert not NOTHING.alarmed(ALPHA)


@pytest.mark.parametrize("reference", [0.0, 1.0])
def test_a_reference_at_an_end_of_the_range_has_an_answer(reference):
    always, never = [LossWindow(1.0, 100)] * 20, [LossWindow(0.0, 100)] * 20
    assert loss_has_risen(always, reference).alarmed(ALPHA) is (reference == 0.0)
    assert not loss_has_risen(never, reference).alarmed(ALPHA)


def test_a_window_that_is_far_better_than_expected_costs_no_more_than_there_is():
    assert 0 < loss_has_risen([LossWindow(0.9, 10**6)] * 5 + [LossWindow(0.0, 10**6)], 0.5).e < 1


def test_evidence_stays_a_number_that_an_event_can_carry():
    assert 1e6 < loss_has_risen([LossWindow(0.9, 1000)] * 2000, 0.1).e <= MOST_EVIDENCE


def test_a_measured_reference_allows_for_its_own_error():
    assert reference_of(LossWindow(0.2, 10_000)).bound == pytest.approx(0.2 + 1.645 * 0.004)
    assert reference_of(LossWindow(0.2, 10_000), tolerance=0.05).bound == pytest.approx(0.25 + 1.645 * 0.004)
    assert reference_of(LossWindow(0.9, 1)).bound == 1.0
    assert reference_of(LossWindow(0.0, 0)) == (0.0, 0.0)


def test_what_is_known_of_a_rows_deviation_finds_a_small_rise_sooner_and_keeps_the_guarantee():
    assert reference_of(LossWindow(0.2, 10_000), row_deviation=0.1).bound == pytest.approx(0.2 + 1.645 * 0.001)
    risen = [LossWindow(0.21, 1000)] * 12
    assert loss_has_risen(risen, 0.2, row_deviation=0.1).alarmed(ALPHA)
    assert not loss_has_risen(risen, 0.2).alarmed(ALPHA)
    lives = (np.random.default_rng(seed) for seed in range(LIVES))
    found = [loss_has_risen((LossWindow(x, 400) for x in rng.normal(0.2, 0.02, WINDOWS)), 0.2, 0.3) for rng in lives]
    assert np.mean([evidence.highest >= 1 / ALPHA for evidence in found]) <= ALPHA


def test_the_first_windows_stand_in_for_a_reference_and_are_not_held_against_themselves():
    windows = [LossWindow(mean, 1000) for mean in (0.2, 0.22, 0.18, 0.3, 0.31)]
    assert first_windows_reference(windows[: FIRST_WINDOWS - 1]) is None
    reference, later = first_windows_reference([LossWindow(0.0, 0), *windows])
    assert (reference.mean, list(later)) == (pytest.approx(0.2), windows[3:])
    assert reference.bound == pytest.approx(0.2 + 1.645 * 0.02 / math.sqrt(3))


def test_a_reference_from_the_first_windows_is_as_good_as_its_bound():
    wrong = 0
    for seed in range(LIVES):
        windows = [LossWindow(mean, 1000) for mean in means(0.2, 1000)(np.random.default_rng(seed))]
        reference, later = first_windows_reference(windows)
        wrong += loss_has_risen(later, reference.bound).highest >= 1 / ALPHA
    assert wrong / LIVES <= ALPHA + 0.05  # and what its own error may add


losses = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5000)).map(lambda pair: LossWindow(*pair)), max_size=40)


@settings(deadline=None)
@given(losses, st.floats(0, 1), st.data())
def test_labels_that_land_late_give_the_same_evidence_as_labels_in_time(windows, reference, data):
    """It is a fold over the means as they are now: whatever was asked before, in whatever order means were corrected."""
    held = [LossWindow(0.0, 0)] * len(windows)
    for i in data.draw(st.permutations(range(len(windows)))):
        held[i] = windows[i]
        loss_has_risen(held, reference)
    found = loss_has_risen(held, reference)
    assert found == loss_has_risen(windows, reference)
    assert 0 <= found.e <= found.highest <= MOST_EVIDENCE
