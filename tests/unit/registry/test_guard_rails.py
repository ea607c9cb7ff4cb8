"""A candidate that is better as a whole does not pass a guard rail that says no, and the gate's sentence names which."""

import msgspec
import pytest
from tests.unit.registry.commands import folded, measured, promote, register_project, register_version

from driftloop.contracts.guard_rails import ScoringCost, SegmentGain
from driftloop.contracts.values import GateMeasurements, PromotionRules, rule_digest
from driftloop.registry.fold import asks
from driftloop.registry.gate import check
from driftloop.registry.guard_rails import MIB, largest_sure_loss


def segment(value: str | None = "at", gain: float = -0.05, error: float = 0.01, rows: int = 200, **more: object) -> SegmentGain:
    return SegmentGain(feature="country", value=value, rows=rows, gain=gain, error=error, **more)


def cost(candidate_ms: float = 6.0, champion_ms: float = 2.0, mib: float = 3.0) -> ScoringCost:
    return ScoringCost(rows=1000, candidate_ms=candidate_ms, champion_ms=champion_ms, candidate_bytes=int(mib * MIB), champion_bytes=MIB)


def found(**more: object) -> GateMeasurements:
    return msgspec.structs.replace(measured(against=1), **more)


@pytest.mark.parametrize(
    ("evidence", "rules", "said"),
    [
        ({"churn": 0.31}, {"max_churn": 0.3}, "31.0% of the answers would change, more than 30.0% (max_churn)"),
        (
            {"segments": (segment(),)},
            {"max_segment_loss": 0.02},
            "the segment country at would become worse: -0.0500 roc_auc on 200 rows, a loss of at least 0.0416, "
            "more than 0.02 (max_segment_loss)",
        ),
        (
            {"cost": cost()},
            {"max_latency_ratio": 2.5},
            "1000 rows would take 3.00 times the champion's 2.00 ms, more than 2.5 times (max_latency_ratio)",
        ),
        ({"cost": cost()}, {"max_size_mib": 2.9}, "the model file has 3.00 MiB, of the champion 1.00, more than 2.9 (max_size_mib)"),
    ],
)
def test_guard_rail_that_says_no_is_named_with_its_figures(evidence, rules, said):
    assert check(found(**evidence), PromotionRules()).accepted  # a project that states no guard rail has none

    verdict = check(found(**evidence), PromotionRules(**rules))

    assert not verdict.accepted
    assert verdict.reason.endswith(f"; but {said}")


@pytest.mark.parametrize(
    ("evidence", "rules"),
    [
        ({"churn": 0.3}, {"max_churn": 0.3}),
        ({"segments": (segment(gain=-0.05, error=0.0),)}, {"max_segment_loss": 0.05}),
        ({"segments": ()}, {"max_segment_loss": 0.0}),
        ({"cost": cost()}, {"max_latency_ratio": 3.0, "max_size_mib": 3.0}),
        ({}, {"max_churn": 0.0, "max_segment_loss": 0.0, "max_latency_ratio": 0.1, "max_size_mib": 0.1}),  # not measured
    ],
)
def test_candidate_at_the_rail_or_that_was_not_measured_for_it_passes(evidence, rules):
    assert check(found(**evidence), PromotionRules(**rules)).accepted


def test_loss_that_chance_explains_stops_nothing():
    assert check(found(segments=(segment(gain=-0.05, error=0.04),)), PromotionRules(max_segment_loss=0.02)).accepted


def test_more_segments_ask_for_more_evidence_of_each():
    alone, among_many = (segment(gain=-0.05, error=0.02),), (segment(gain=-0.05, error=0.02), *(segment(gain=0.0) for _ in range(19)))
    assert not check(found(segments=alone), PromotionRules(max_segment_loss=0.02)).accepted
    assert check(found(segments=among_many), PromotionRules(max_segment_loss=0.02)).accepted
    assert largest_sure_loss(among_many, 0.8)[1] == pytest.approx(0.05 - 2.3263 * 0.02, abs=1e-5)  # one-sided, 99 %


def test_segment_that_loses_most_for_sure_is_the_one_that_is_named():
    noisy, sure = segment("de", gain=-0.2, error=0.1), segment("fr", gain=-0.08, error=0.001)
    others, none = segment(None, gain=0.1, others=True), segment(None, gain=-0.081, error=0.0001)
    rules = PromotionRules(max_segment_loss=0.02)
    assert "the segment country fr " in check(found(segments=(noisy, sure, others)), rules).reason
    assert "the segment country without a value " in check(found(segments=(noisy, sure, others, none)), rules).reason


@pytest.mark.parametrize(
    ("evidence", "what"),
    [
        ({"churn": 1.01}, "a churn of 1.01"),
        ({"churn": -0.1}, "a churn of -0.1"),
        ({"segments": (segment(gain=float("nan")),)}, "gain or error of the segment country at is no finite number"),
        ({"segments": (segment(error=-0.1),)}, "a standard error of -0.1"),
        ({"segments": (segment(rows=1001),)}, "1001 of 1000 rows"),
        ({"cost": cost(candidate_ms=0.0)}, "0 and 2 ms for 1000 rows"),
        ({"cost": cost(champion_ms=float("inf"))}, "6 and inf ms for 1000 rows"),
    ],
)
def test_figures_that_no_guard_rail_can_measure_are_refused(evidence, what):
    verdict = check(found(**evidence), PromotionRules())

    assert not verdict.accepted
    assert verdict.reason.startswith("the measurements cannot be: ")
    assert what in verdict.reason


def test_fold_holds_a_candidate_to_the_rules_that_its_project_registered():
    rules = PromotionRules(max_size_mib=1.0)
    first = (register_project(rules=rules), register_version("r1"), promote("r1", epoch=0), register_version("r2", against=1))
    state, outcomes = folded(*first, promote("r2", epoch=1, measured=found(cost=cost())))
    assert not outcomes[-1].accepted
    assert "max_size_mib" in outcomes[-1].reason
    assert state.model("flights").champion.version == 1
    _, outcomes = folded(*first, promote("r2", epoch=1, measured=found(cost=cost(mib=0.5))))
    assert outcomes[-1].accepted


def test_run_that_is_made_again_asks_for_the_same_promotion_however_long_its_scoring_took():
    once, again = (promote("r2", epoch=1, measured=found(cost=cost(candidate_ms=ms))) for ms in (2.0, 9.0))
    assert asks(once) == asks(again) == asks(promote("r2", epoch=1, measured=found()))
    rules = PromotionRules(max_latency_ratio=2.0)
    first = (register_project(rules=rules), register_version("r1"), promote("r1", epoch=0), register_version("r2", against=1))
    _, outcomes = folded(*first, again, once)
    assert outcomes[-1] == outcomes[-2]
    assert "max_latency_ratio" in outcomes[-1].reason


def test_rules_without_guard_rails_are_the_rules_that_they_were():
    """As in every log of before: the digest of a rule, and that of the registry's state, tell of nothing new."""
    assert not {name for name in msgspec.to_builtins(PromotionRules()) if "segment" in name or "latency" in name or "size" in name}
    assert rule_digest(PromotionRules()) != rule_digest(PromotionRules(max_size_mib=9.0))
