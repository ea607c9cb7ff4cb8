"""When to retrain: a pure fold over closed windows. Every window gets exactly one decision, "no" included, with its reason.

A state is rebuilt from earlier decisions alone, since each carries its evidence: ``restore`` and ``decide`` advance it alike.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from driftloop.contracts.events import DecisionMade, RetrainReason
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, Time, Window, rule_digest
from driftloop.contracts.windows import parse_duration, shifted
from driftloop.monitoring import triggers
from driftloop.monitoring.budget import Budget, Standing, budget_of, next_attempt, possible, standing
from driftloop.monitoring.evidence import Evidence
from driftloop.project.rules import Policy

MEASURED_KEPT = 5  # windows of the same version whose mean the metric is compared with

URGENT: tuple[RetrainReason, ...] = ("drift", "performance")  # may spend what is kept of a budget

DRY_RUN = "dry run, nothing is asked for: "

CARRIED = 1000  # windows, and attempts, of which something is known when their decisions are not kept any more


class PolicyState(Part, frozen=True, kw_only=True):
    """What earlier windows left behind. All times are event time: the ends of windows."""

    decided_up_to: Time | None = None
    drifted: tuple[bool, ...] = ()  # of the last drift_n windows, oldest first
    new_labels: int = 0  # labels that landed since the last attempt, in whatever window
    attempts: tuple[Time, ...] = ()  # within the budget period
    metric: str | None = None  # that ``measured`` is of
    measured: tuple[tuple[int, float], ...] = ()  # (version, metric), oldest first
    since: Time | None = None  # the last attempt; before there was one, the first window's start
    since_wall: Time | None = None  # the same by wall time, as far as that is on record


class Decision(Part, frozen=True, kw_only=True):
    """Yes or no, why, and by which rule (sha256 of the policy's settings). ``dry_run``: no, and yes if the policy were no dry run."""

    accepted: bool
    reason: str
    trigger: RetrainReason | None
    rule: str
    evidence: Evidence
    dry_run: bool = False


def decide(policy: Policy, state: PolicyState, evidence: Evidence) -> tuple[PolicyState, Decision]:
    """The decision on the next closed window, and the state after it."""
    wanted, trigger, reason = _decide(policy, state, evidence)
    dry_run = wanted and policy.dry_run
    decision = Decision(
        accepted=wanted and not dry_run,
        reason=f"{DRY_RUN}{reason}" if dry_run else reason,
        trigger=trigger,
        rule=rule_digest(policy),
        evidence=evidence,
        dry_run=dry_run,
    )
    return advance(policy, state, evidence, accepted=wanted), decision


def advance(policy: Policy, state: PolicyState, evidence: Evidence, *, accepted: bool) -> PolicyState:
    """The state after a window was decided, however it was. ``accepted``: also by a dry run, which counts its attempts as if they were."""
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
        since=_since(state.since, end if accepted else None, evidence.window.start),
        since_wall=_since(state.since_wall, evidence.decided_at if accepted else None, evidence.decided_at),
    )


def restore(policy: Policy, decisions: Iterable[DecisionMade], before: PolicyState | None = None) -> PolicyState:
    """The state after retrain decisions read back in window order. ``before``: what was carried of earlier ones. What was asked for by a
    dry run counts for a policy that is one, and for no other."""
    state = before or PolicyState()
    for decision in decisions:
        evidence = msgspec.convert(decision.evidence, prepared(Evidence))
        accepted = decision.accepted or (policy.dry_run and decision.evidence.get("dry_run") is True)
        state = advance(policy, state, evidence, accepted=accepted)
    return state


def carried(before: PolicyState, decisions: Sequence[DecisionMade]) -> PolicyState:
    """What any policy may need of ``decisions``, in window order, when they are not kept: ``restore`` goes on from it.

    Exact for policies that look back over no more than ``CARRIED`` windows and attempts beyond those that are kept.
    """
    evidence = [msgspec.convert(decision.evidence, prepared(Evidence)) for decision in decisions]
    new_labels, attempts, metric, measured = before.new_labels, list(before.attempts), before.metric, list(before.measured)
    since, since_wall = before.since, before.since_wall
    for one, decision in zip(evidence, decisions, strict=True):
        new_labels = 0 if decision.accepted else new_labels + one.new_labels
        if decision.accepted:
            attempts.append(one.window.end)
        since = _since(since, one.window.end if decision.accepted else None, one.window.start)
        since_wall = _since(since_wall, one.decided_at if decision.accepted else None, one.decided_at)
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
        since=since,
        since_wall=since_wall,
    )


def _since(known: datetime | None, attempt: datetime | None, first: datetime | None) -> datetime | None:
    """From when on a moment of a schedule is one that no attempt has answered."""
    return attempt or known or first


def _decide(policy: Policy, state: PolicyState, evidence: Evidence) -> tuple[bool, RetrainReason | None, str]:
    if evidence.version is None:
        return False, None, "no model scored this window, so there is no champion to improve on"
    trigger, why = _trigger(policy, state, evidence)
    if trigger is None:
        return False, None, why
    if held := _hold(policy, state, evidence, trigger):
        return False, trigger, f"{held} ({why})"
    return True, trigger, why


def _trigger(policy: Policy, state: PolicyState, evidence: Evidence) -> tuple[RetrainReason | None, str]:
    """The most telling trigger that fired, with a sentence; the sentence alone says why none did."""
    calm = []
    for trigger in triggers.in_order(policy):
        fired, why = _fired(trigger, policy, state, evidence)
        if fired:
            return triggers.REASONS[trigger], why
        calm.append(why)
    return None, "; ".join(calm) or "the policy has no triggers"


def _fired(trigger: str, policy: Policy, state: PolicyState, evidence: Evidence) -> tuple[bool, str]:
    match trigger:
        case "performance":
            measured = state.measured if state.metric == evidence.metric else ()
            return triggers.performance(evidence, [value for version, value in measured if version == evidence.version])
        case "drift":
            return triggers.drift(policy, (*state.drifted, evidence.drifted)[-policy.drift_n :])
        case "schedule" if policy.schedule_time == "wall":
            return triggers.schedule(policy, state.since_wall, evidence.decided_at)
        case "schedule":
            last = state.attempts[-1] if state.attempts else evidence.window.start
            return triggers.schedule(policy, state.since or last, evidence.window.end)
        case "labels":
            return triggers.labels(policy, state.new_labels + evidence.new_labels)
        case _:
            return True, "the window closed"


def _hold(policy: Policy, state: PolicyState, evidence: Evidence, trigger: RetrainReason) -> str | None:
    """Why an attempt must wait although a trigger fired; None: nothing holds it back."""
    end, labels = evidence.window.end, state.new_labels + evidence.new_labels
    if evidence.runs_in_flight:
        return f"run {evidence.runs_in_flight[0]} is in flight"
    if labels < policy.min_new_labels:
        return f"{labels} new labels since the last attempt, {policy.min_new_labels} are needed"
    cooldown = parse_duration(policy.cooldown)
    if state.attempts and cooldown > timedelta(0) and end - state.attempts[-1] < cooldown:
        until = shifted(state.attempts[-1], cooldown).isoformat()
        return f"cooling down for {policy.cooldown} after the attempt at {state.attempts[-1].isoformat()}, until {until}"
    budget, kept = budget_of(policy, end - evidence.window.start), trigger in URGENT
    if not possible(budget, state.attempts, end, kept=kept):
        return _out_of_budget(policy, budget, next_attempt(budget, state.attempts, end, kept=kept), kept=kept)
    return None


def _out_of_budget(policy: Policy, budget: Budget, at: datetime, *, kept: bool) -> str:
    how = "spread" if budget.spread else "spent"
    held_back = f", {budget.kept} at once are kept for drift and performance" if budget.kept and not kept else ""
    return f"the budget of {budget.attempts} runs in {policy.budget_period} is {how}{held_back}; the next is possible at {at.isoformat()}"


def standing_of(policy: Policy, state: PolicyState, window: Window) -> Standing:
    """What is left of the budget after the decision on ``window``."""
    return standing(budget_of(policy, window.end - window.start), state.attempts, window.end)
