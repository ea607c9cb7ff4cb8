"""Guard rails of the gate: what a candidate that is better as a whole may not do all the same. Pure.

What was not measured is not judged: measurements of earlier releases, and a backtest's, which stores no model.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

from msgspec import UNSET

from driftloop.contracts.guard_rails import ScoringCost, SegmentGain
from driftloop.contracts.values import GateMeasurements, PromotionRules

MIB = 1024 * 1024


def broken(found: GateMeasurements, rules: PromotionRules) -> str | None:
    """The first guard rail that says no, by its rule and the figures; None: none does."""
    return next(_broken(found, rules), None)


def _broken(found: GateMeasurements, rules: PromotionRules) -> Iterator[str]:
    if rules.max_churn is not None and found.churn is not UNSET and found.churn > rules.max_churn:
        yield f"{found.churn:.1%} of the answers would change, more than {rules.max_churn:.1%} (max_churn)"
    if rules.max_segment_loss is not UNSET and found.segments is not UNSET and found.segments:
        segment, loss = largest_sure_loss(found.segments, found.confidence)
        if not loss <= rules.max_segment_loss:
            measured = f"{segment.gain:+.4f} {found.metric} on {segment.rows} rows, a loss of at least {loss:.4f}"
            yield f"the segment {segment} would become worse: {measured}, more than {rules.max_segment_loss:g} (max_segment_loss)"
    cost = found.cost
    if cost is UNSET:
        return
    if rules.max_latency_ratio is not UNSET and not cost.candidate_ms <= rules.max_latency_ratio * cost.champion_ms:
        ratio = f"{cost.candidate_ms / cost.champion_ms:.2f} times the champion's {cost.champion_ms:.2f} ms"
        yield f"{cost.rows} rows would take {ratio}, more than {rules.max_latency_ratio:g} times (max_latency_ratio)"
    if rules.max_size_mib is not UNSET and not cost.candidate_bytes <= rules.max_size_mib * MIB:
        size = f"{cost.candidate_bytes / MIB:.2f} MiB, of the champion {cost.champion_bytes / MIB:.2f}"
        yield f"the model file has {size}, more than {rules.max_size_mib:g} (max_size_mib)"


def largest_sure_loss(segments: tuple[SegmentGain, ...], confidence: float) -> tuple[SegmentGain, float]:
    """The segment that is shown to lose most, and what it loses at least; below 0: no loss is shown.

    The bound of each is one-sided, by the normal approximation, and holds for all k segments together with ``confidence``: each is
    at 1 − (1 − confidence) / k (Bonferroni). Of twenty segments some look worse by chance, and none of those shall stop a promotion.
    ``segments``: at least one.
    """
    z = NormalDist().inv_cdf(1 - (1 - confidence) / len(segments))
    sure = [(segment, -segment.gain - z * segment.error) for segment in segments]
    return max(sure, key=lambda pair: pair[1])


def impossible(found: GateMeasurements) -> str | None:
    """What none of these measurements can show, whatever was measured; None: nothing."""
    if found.churn is not UNSET and not 0 <= found.churn <= 1:
        return f"a churn of {found.churn:g}"
    for segment in () if found.segments is UNSET else found.segments:
        if not (math.isfinite(segment.gain) and math.isfinite(segment.error)):
            return f"gain or error of the segment {segment} is no finite number"
        if segment.error < 0 or segment.rows > found.rows:
            return f"the segment {segment} with {segment.rows} of {found.rows} rows and a standard error of {segment.error:g}"
    return None if found.cost is UNSET else _impossible_cost(found.cost)


def _impossible_cost(cost: ScoringCost) -> str | None:
    times = (cost.candidate_ms, cost.champion_ms)
    return None if all(math.isfinite(ms) and ms > 0 for ms in times) else f"{times[0]:g} and {times[1]:g} ms for {cost.rows} rows"
