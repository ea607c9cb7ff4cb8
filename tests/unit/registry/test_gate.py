import msgspec
import pytest
from tests.unit.registry.commands import measured

from driftloop.contracts.values import PromotionRules
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
