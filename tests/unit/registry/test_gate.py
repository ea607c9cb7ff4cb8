import re

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
