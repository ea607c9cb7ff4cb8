"""When to retrain: a pure fold over closed windows. Every window gets exactly one decision, "no" included, with its reason.

A state is rebuilt from earlier decisions alone, since each carries its evidence: ``restore`` and ``decide`` advance it alike.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from driftloop.contracts.events import DecisionMade, RetrainReason
from driftloop.contracts.values import Part, Time, rule_digest
from driftloop.contracts.windows import parse_duration
from driftloop.monitoring.evidence import Evidence
from driftloop.project.rules import Policy
from driftloop.statistics.metrics import find

MEASURED_KEPT = 5  # windows of the same version whose mean the metric is compared with

CARRIED = 1000  # windows, and attempts, of which something is known when their decisions are not kept any more


class PolicyState(Part, frozen=True, kw_only=True):
    """What earlier windows left behind. All times are event time: the ends of windows."""

    decided_up_to: Time | None = None
    drifted: tuple[bool, ...] = ()  # of the last drift_n windows, oldest first
    new_labels: int = 0  # labels that landed since the last attempt, in whatever window
    attempts: tuple[Time, ...] = ()  # within the budget period
    metric: str | None = None  # that ``measured`` is of
    measured: tuple[tuple[int, float], ...] = ()  # (version, metric), oldest first


class Decision(Part, frozen=True, kw_only=True):
    """Yes or no, why, and by which rule (sha256 of the policy's settings)."""

    accepted: bool
    reason: str
    trigger: RetrainReason | None
    rule: str
    evidence: Evidence


def decide(policy: Policy, state: PolicyState, evidence: Evidence) -> tuple[PolicyState, Decision]:
    """The decision on the next closed window, and the state after it."""
    accepted, trigger, reason = _decide(policy, state, evidence)
    decision = Decision(accepted=accepted, reason=reason, trigger=trigger, rule=rule_digest(policy), evidence=evidence)
    return advance(policy, state, evidence, accepted=accepted), decision


def advance(policy: Policy, state: PolicyState, evidence: Evidence, *, accepted: bool) -> PolicyState:
    """The state after a window was decided, however it was."""
    end, period = evidence.window.end, parse_duration(policy.budget_period)
    attempts = tuple(t for t in state.attempts if end - t < period)
    measured = state.measured if state.metric == evidence.metric else ()  # the project measures otherwise now
    if evidence.version is not None and evidence.measured is not None:
        measured = (*measured, (evidence.version, evidence.measured.value))[-MEASURED_KEPT:]
    return PolicyState(
        decided_up_to=end,
        drifted=(*state.drifted, evidence.drifted)[-policy.drift_n :],
        new_labels=0 if accepted else state.new_labels + evidence.new_labels,
        attempts=(*attempts, end) if accepted else attempts,
        metric=evidence.metric,
        measured=measured,
    )


def restore(policy: Policy, decisions: Iterable[DecisionMade], before: PolicyState | None = None) -> PolicyState:
    """The state after retrain decisions read back in window order. ``before``: what was carried of earlier ones."""
    state = before or PolicyState()
    for decision in decisions:
        evidence = msgspec.convert(decision.evidence, Evidence)
        state = advance(policy, state, evidence, accepted=decision.accepted)
    return state


def carried(before: PolicyState, decisions: Sequence[DecisionMade]) -> PolicyState:
    """What any policy may need of ``decisions``, in window order, when they are not kept: ``restore`` goes on from it.

    Exact for policies that look back over no more than ``CARRIED`` windows and attempts beyond those that are kept.
    """
    evidence = [msgspec.convert(decision.evidence, Evidence) for decision in decisions]
    new_labels, attempts, metric, measured = before.new_labels, list(before.attempts), before.metric, list(before.measured)
    for one, decision in zip(evidence, decisions, strict=True):
        new_labels = 0 if decision.accepted else new_labels + one.new_labels
        if decision.accepted:
            attempts.append(one.window.end)
        if one.metric != metric:  # the project measures otherwise from here on
            metric, measured = one.metric, []
        if one.version is not None and one.measured is not None:
            measured.append((one.version, one.measured.value))
    return PolicyState(
        decided_up_to=evidence[-1].window.end if evidence else before.decided_up_to,
        drifted=(*before.drifted, *(one.drifted for one in evidence))[-CARRIED:],
        new_labels=new_labels,
        attempts=tuple(attempts[-CARRIED:]),
        metric=metric,
        measured=tuple(measured[-MEASURED_KEPT:]),
    )


def _decide(policy: Policy, state: PolicyState, evidence: Evidence) -> tuple[bool, RetrainReason | None, str]:
    if evidence.version is None:
        return False, None, "no model scored this window, so there is no champion to improve on"
    trigger, why = _trigger(policy, state, evidence)
    if trigger is None:
        return False, None, why
    if held := _hold(policy, state, evidence):
        return False, trigger, f"{held} ({why})"
    return True, trigger, why


def _trigger(policy: Policy, state: PolicyState, evidence: Evidence) -> tuple[RetrainReason | None, str]:
    """The most telling trigger that fired, with a sentence; the sentence alone says why none did."""
    calm = []
    if "performance" in policy.triggers:
        fell, why = _performance_fell(state, evidence)
        if fell:
            return "performance", why
        calm.append(why)
    if "drift" in policy.triggers:
        recent = (*state.drifted, evidence.drifted)[-policy.drift_n :]
        why = f"{sum(recent)} of the last {len(recent)} windows drifted, {policy.drift_k} of {policy.drift_n} are needed"
        if sum(recent) >= policy.drift_k:
            return "drift", f"{sum(recent)} of the last {len(recent)} windows drifted"
        calm.append(why)
    if "window" in policy.triggers:
        return "window", "the window closed"
    return None, "; ".join(calm) or "the policy has no triggers"


def _performance_fell(state: PolicyState, evidence: Evidence) -> tuple[bool, str]:
    """Whether the metric is worse than its earlier mean even at the better end of its interval."""
    name, interval = evidence.metric, evidence.measured
    before = [value for version, value in state.measured if version == evidence.version] if state.metric == name else []
    if interval is None or not before:
        return False, f"{name} has nothing to be compared with yet"
    metric, mean = find(name), sum(before) / len(before)
    best, at_best, bound = (interval.upper, "most", "upper") if metric.greater_is_better else (interval.lower, "least", "lower")
    if metric.gain(best, mean) < 0:
        return True, f"{name} is at {at_best} {best:.4f}, its mean over the {len(before)} windows before was {mean:.4f}"
    return False, f"{name} may still be at its earlier mean {mean:.4f} ({bound} bound {best:.4f})"


def _hold(policy: Policy, state: PolicyState, evidence: Evidence) -> str | None:
    """Why an attempt must wait although a trigger fired; None: nothing holds it back."""
    end, labels = evidence.window.end, state.new_labels + evidence.new_labels
    if evidence.runs_in_flight:
        return f"run {evidence.runs_in_flight[0]} is in flight"
    if labels < policy.min_new_labels:
        return f"{labels} new labels since the last attempt, {policy.min_new_labels} are needed"
    cooldown = parse_duration(policy.cooldown)
    if state.attempts and cooldown > timedelta(0) and end - state.attempts[-1] < cooldown:
        return f"cooling down for {policy.cooldown} after the attempt at {state.attempts[-1].isoformat()}"
    period = parse_duration(policy.budget_period)
    spent = [t for t in state.attempts if end - t < period]
    if len(spent) >= policy.budget:
        return f"the budget of {policy.budget} runs in {policy.budget_period} is spent"
    return None
