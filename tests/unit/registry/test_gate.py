import re
from datetime import timedelta

import msgspec
import pytest
from tests.unit.registry.commands import measured

from driftloop.contracts.values import GateMeasurements, PromotionRules, Window, WindowGain
from driftloop.registry.gate import check


@pytest.mark.parametrize(
    ("rows", "gain_lower", "tolerance", "accepted"),
    [
        (200, 0.0001, 0.0, True),
        (199, 0.5, 0.0, False),
        (200, 0.0, 0.0, False),  # the bound must clear the tolerance, not meet it
        (200, -0.0001, 0.0, False),
        (200, -0.005, -0.01, True),
        (200, 0.01, 0.01, False),
        (200, float("nan"), 0.0, False),
        (200, 0.5, float("nan"), False),
    ],
)
def test_candidate_passes_only_above_the_tolerance_and_on_enough_rows(rows, gain_lower, tolerance, accepted):
    verdict = check(measured(against=1, rows=rows, gain_lower=gain_lower), PromotionRules(tolerance=tolerance, min_rows=200))

    assert verdict.accepted is accepted


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"gain_lower": 1e9}, "lower bound 1e\\+09 lies above the gain"),
        ({"gain_lower": float("inf")}, "gain_lower is no finite number"),
        ({"candidate": float("nan")}, "candidate is no finite number"),
        ({"gain": 0.5}, "is not the difference"),
        ({"candidate": 0.5, "champion": 0.7, "gain": 0.2}, "the gain 0.2 is not the difference of 0.5 and 0.7"),
        ({"metric": "mae", "candidate": 0.7, "champion": 0.5, "gain": 0.2}, "the gain 0.2 is not the difference of 0.7 and 0.5"),
        ({"rows": -1}, "-1 rows"),
        ({"confidence": 1.5}, "confidence 1.5"),
    ],
)
def test_figures_that_no_measurement_can_give_do_not_pass(change, what):
    verdict = check(msgspec.structs.replace(measured(against=1, gain_lower=0.5), **change), PromotionRules(min_rows=-5))

    assert not verdict.accepted
    assert re.search(f"the measurements cannot be: .*{what}", verdict.reason)


def test_gain_of_a_metric_without_a_lower_end_may_be_large():
    found = measured(against=1, gain_lower=900_000.0)
    ruined = msgspec.structs.replace(found, metric="r2", candidate=0.5, champion=-1e6, gain=1e6 + 0.5)

    assert check(ruined, PromotionRules()).accepted


@pytest.mark.parametrize(
    ("metric", "candidate", "champion"), [("mae", 0.5, 0.7), ("of another release", 0.5, 0.7), ("the other way", 0.7, 0.5)]
)
def test_lower_values_of_an_error_are_a_gain(metric, candidate, champion):
    found = msgspec.structs.replace(
        measured(against=1, gain_lower=0.1), metric=metric, candidate=candidate, champion=champion, gain=0.2, gain_lower=0.1
    )

    assert check(found, PromotionRules()).accepted


def test_candidate_that_was_not_measured_does_not_pass():
    assert not check(None, PromotionRules()).accepted


def test_reason_names_the_figures_that_decided():
    verdict = check(measured(against=1, rows=150), PromotionRules(min_rows=200))

    assert "150" in verdict.reason
    assert "200" in verdict.reason


@pytest.mark.parametrize("rows", [150, 250])
def test_reason_says_when_only_rows_that_the_champion_had_not_seen_were_measured(rows):
    held_out = msgspec.structs.replace(measured(against=1, rows=rows), judged_on="held-out")

    assert f"{rows}" in check(held_out, PromotionRules(min_rows=200)).reason
    assert "rows that version 1 was not fitted on" in check(held_out, PromotionRules(min_rows=200)).reason
    assert "not fitted on" not in check(measured(against=1, rows=rows), PromotionRules(min_rows=200)).reason


def test_verdict_depends_on_its_arguments_only():
    measurements, rules = measured(against=1), PromotionRules()
    before = msgspec.json.encode((measurements, rules))

    assert check(measurements, rules) == check(measurements, rules)
    assert msgspec.json.encode((measurements, rules)) == before


DAY = timedelta(days=1)


def waited(gains: list[float], *, error: float = 0.01, gain_lower: float = 0.001) -> GateMeasurements:
    """The last of ``gains`` is the judged window's."""
    found = measured(against=1, gain_lower=gain_lower)
    windows = [Window(start=found.window.start - DAY * n, end=found.window.end - DAY * n) for n in range(len(gains) - 1, 0, -1)]
    earlier = tuple(WindowGain(window=window, gain=gain, error=error, rows=500) for window, gain in zip(windows, gains[:-1], strict=True))
    return msgspec.structs.replace(
        found, gain=gains[-1], candidate=found.champion + gains[-1], gain_error=error, earlier=earlier, waited=sum(gains)
    )


@pytest.mark.parametrize(("gains", "accepted"), [([0.019], False), ([0.02], True), ([0.01, 0.01], True), ([0.015, -0.01, 0.01], False)])
def test_candidate_waits_until_the_gains_add_up_to_what_a_promotion_is_worth(gains, accepted):
    verdict = check(waited(gains, error=0.0001), PromotionRules(promotion_worth=0.02, tolerance=-1.0))

    assert verdict.accepted is accepted
    assert f"waiting has cost {sum(gains):.4f} roc_auc-windows, a promotion is worth 0.02" in verdict.reason


def test_gain_that_one_window_cannot_show_is_shown_by_several():
    alone, together = waited([0.01], gain_lower=-0.001, error=0.012), waited([0.01] * 6, gain_lower=-0.001, error=0.012)

    assert not check(alone, PromotionRules()).accepted
    verdict = check(together, PromotionRules())
    assert verdict.accepted
    assert "over the last 6 windows" in verdict.reason


def test_windows_of_before_a_change_do_not_hold_a_sure_gain_back():
    assert check(waited([-0.01, -0.01, 0.2], gain_lower=0.19), PromotionRules()).accepted


def test_candidate_that_changes_too_many_answers_does_not_pass():
    found = msgspec.structs.replace(measured(against=1), churn=0.31)

    assert check(found, PromotionRules()).accepted
    verdict = check(found, PromotionRules(max_churn=0.3))
    assert not verdict.accepted
    assert "31.0% of the answers would change, more than 30.0%" in verdict.reason


@pytest.mark.parametrize("change", [{"waited": float("nan")}, {"churn": float("inf")}, {"gain_error": -0.1}])
def test_figures_about_waiting_that_cannot_be_do_not_pass(change):
    assert "cannot be" in check(msgspec.structs.replace(waited([0.1, 0.1]), **change), PromotionRules()).reason


def test_forged_gain_of_an_earlier_window_does_not_pass():
    found = waited([0.1, 0.1])
    forged = msgspec.structs.replace(found, earlier=(msgspec.structs.replace(found.earlier[0], gain=float("inf")),))

    assert "gain 0 of before is no finite number" in check(forged, PromotionRules()).reason
