"""What asks for a new version: each trigger of a policy, and why it has fired or has not. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from driftloop.contracts.events import RetrainReason
from driftloop.contracts.values import LossAlarm
from driftloop.monitoring.evidence import Evidence
from driftloop.project.rules import Policy
from driftloop.project.schedule import parse_schedule
from driftloop.statistics.metrics import find


def performance(evidence: Evidence, earlier: Sequence[float]) -> tuple[bool, str]:
    """Whether the loss alarm is raised. Where there is none, as in decisions of before, whether the metric is worse than ``earlier``, the
    version's own windows before, on average, even at the better end of its interval."""
    alarm = None if evidence.answer is None else evidence.answer.alarm
    if alarm is not None:
        return alarm.raised, _loss(alarm)
    name, interval = evidence.metric, evidence.measured
    if interval is None or not earlier:
        return False, f"{name} has nothing to be compared with yet"
    metric, mean = find(name), sum(earlier) / len(earlier)
    best, at_best, bound = (interval.upper, "most", "upper") if metric.greater_is_better else (interval.lower, "least", "lower")
    if metric.gain(best, mean) < 0:
        return True, f"{name} is at {at_best} {best:.4f}, its mean over the {len(earlier)} windows before was {mean:.4f}"
    return False, f"{name} may still be at its earlier mean {mean:.4f} ({bound} bound {best:.4f})"


def _loss(alarm: LossAlarm) -> str:
    where = "at training" if alarm.reference_from == "training" else "in the version's first windows"
    evidence = f"evidence {alarm.e:.3g}, {1 / alarm.alpha:.3g} are needed; it was {alarm.reference:.4f} {where}"
    return f"the loss has risen ({evidence})" if alarm.raised else f"no sign that the loss has risen ({evidence})"


def drift(policy: Policy, recent: Sequence[bool]) -> tuple[bool, str]:
    """``recent``: whether each of the last windows drifted, this one last."""
    drifted = sum(recent)
    if drifted >= policy.drift_k:
        return True, f"{drifted} of the last {len(recent)} windows drifted"
    return False, f"{drifted} of the last {len(recent)} windows drifted, {policy.drift_k} of {policy.drift_n} are needed"


def schedule(policy: Policy, since: datetime | None, now: datetime | None) -> tuple[bool, str]:
    """Whether a moment of the schedule has passed since the last attempt, by the clock that the policy names; one attempt answers all of
    them, however many they are. ``now`` None: the evidence does not tell the time by that clock."""
    assert policy.schedule is not None  # a project without one cannot have the trigger
    named = f"schedule {policy.schedule!r} by {policy.schedule_time} time"
    if now is None:
        return False, f"{named}: when this was decided is not on record"
    moment = None if since is None else parse_schedule(policy.schedule).last(since, now)
    if moment is None:
        return False, f"{named}: no moment has come since {'the first window' if since is None else since.isoformat()}"
    return True, f"{named}: {moment.isoformat()} has come"


def labels(policy: Policy, since_attempt: int) -> tuple[bool, str]:
    """``since_attempt``: labels that have landed since the last attempt, in whatever window."""
    wanted = policy.new_labels or 0
    return since_attempt >= wanted, f"{since_attempt} new labelled rows since the last attempt, the policy asks for every {wanted}"


REASONS: dict[str, RetrainReason] = {
    "performance": "performance",
    "drift": "drift",
    "schedule": "schedule",
    "labels": "new-data",
    "window": "window",
}  # by trigger, the most telling first


def in_order(policy: Policy) -> Iterator[str]:
    return (trigger for trigger in REASONS if trigger in policy.triggers)
