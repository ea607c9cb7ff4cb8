import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.statistics.look_back import look_back

GAINS = st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), min_size=1, max_size=12)


def test_one_window_is_taken_as_it_is() -> None:
    found = look_back([(0.02, 0.01)], 0.8)
    assert found == (0.02, 0.01, 1)
    assert found.lower(0.8) == pytest.approx(0.02 - 0.8416 * 0.01, abs=1e-5)


def test_windows_that_say_the_same_are_averaged_and_make_the_gain_surer() -> None:
    found = look_back([(0.010, 0.01)] * 4, 0.8)
    assert (found.windows, found.gain) == (4, pytest.approx(0.01))
    assert found.error == pytest.approx(0.005)


def test_windows_of_before_an_abrupt_change_are_left_out() -> None:
    found = look_back([(0.0, 0.01)] * 5 + [(0.3, 0.01)], 0.8)
    assert (found.windows, found.gain) == (1, pytest.approx(0.3))


def test_two_windows_after_a_change_are_both_taken() -> None:
    found = look_back([(0.0, 0.01)] * 5 + [(0.3, 0.01), (0.31, 0.01)], 0.8)
    assert found.windows == 2


def test_without_a_window_there_is_nothing_to_average() -> None:
    with pytest.raises(ValueError, match="no window"):
        look_back([], 0.8)


@given(gains=GAINS, confidence=st.floats(0.5, 0.99))
def test_the_mean_lies_among_the_gains_and_is_never_less_sure_than_the_surest_claim(
    gains: list[tuple[float, float]], confidence: float
) -> None:
    found = look_back(gains, confidence)
    taken = [gain for gain, _ in gains[-found.windows :]]
    assert min(taken) - 1e-9 <= found.gain <= max(taken) + 1e-9
    assert found.gain == pytest.approx(math.fsum(taken) / len(taken), abs=1e-9)
    assert 0 <= found.error <= max(error for _, error in gains) + 1e-9


@given(gains=GAINS, scale=st.floats(0.01, 100))
def test_the_unit_of_the_metric_does_not_matter(gains: list[tuple[float, float]], scale: float) -> None:
    found, scaled = look_back(gains, 0.8), look_back([(gain * scale, error * scale) for gain, error in gains], 0.8)
    if found.windows == scaled.windows:  # rounding may break a tie the other way
        assert scaled.gain == pytest.approx(found.gain * scale, abs=1e-9 * scale)
