import numpy as np
import pytest
from bench.loop import rules

NONE = np.nan
SCORES = np.array(
    [
        [0.8, 0.8, 0.8, 0.5, 0.5],
        [NONE, 0.8, 0.8, 0.5, 0.5],
        [NONE, NONE, 0.8, 0.5, 0.5],
        [NONE, NONE, NONE, 0.6, 0.6],
        [NONE, NONE, NONE, NONE, 0.8],
    ]
)


def test_a_model_that_is_never_fitted_again_answers_for_all_windows() -> None:
    assert rules.never(SCORES) == (pytest.approx(0.68), 0)


def test_refitting_after_every_window_takes_the_newest_fit_each_time() -> None:
    assert rules.always(SCORES) == (pytest.approx(0.76), 4)


def test_every_third_window_has_three_phases() -> None:
    assert [rules.every(SCORES, 3, phase) for phase in range(3)] == [
        (pytest.approx((0.8 + 0.8 + 0.8 + 0.5 + 0.8) / 5), 2),
        (pytest.approx((0.8 + 0.8 + 0.8 + 0.5 + 0.5) / 5), 1),
        (pytest.approx((0.8 + 0.8 + 0.8 + 0.6 + 0.6) / 5), 1),
    ]


def test_a_score_that_drops_is_answered_one_window_later() -> None:
    assert rules.on_score_drop(SCORES, greater_is_better=True) == (pytest.approx((0.8 * 3 + 0.5 + 0.8) / 5), 1)
    assert rules.on_score_drop(-SCORES, greater_is_better=False).refits == 1


def test_what_others_would_have_triggered_takes_the_same_refits() -> None:
    assert rules.at(SCORES, {3, 4}) == (pytest.approx((0.8 * 3 + 0.6 + 0.8) / 5), 2)
    assert rules.at(SCORES, set()) == rules.never(SCORES)


@pytest.mark.parametrize(("never", "ours", "best"), [(0.6, 0.68, 0.7), (5.0, 4.2, 4.0)])
def test_a_share_of_the_gain_is_the_same_whichever_way_the_metric_points(never: float, ours: float, best: float) -> None:
    assert rules.share_of_gain(ours, never, best) == pytest.approx(0.8)


def test_where_the_best_gains_nothing_there_is_no_share() -> None:
    assert np.isnan(rules.share_of_gain(0.6, 0.6, 0.6))
