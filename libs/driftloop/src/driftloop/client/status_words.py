"""What an operator must know, in sentences: how far each service is, what was set aside, what was decided, what to do. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from driftloop.client.samples import Samples, together
from driftloop.contracts.gaps import LOST_END
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, Time

BEHIND_SECONDS = 60  # without getting on: worth a word; the alert comes later
OVERDUE_SECONDS = 600
# what the sentences are made of; the rest is for alerts and the dashboard
METRICS = (
    "driftloop_end_offset",
    "driftloop_durable_offset",
    "driftloop_behind_seconds",
    "driftloop_rows_total",
    "driftloop_refused_calls_total",
    "driftloop_unscored_rows_total",
    "driftloop_too_late_rows",
    "driftloop_too_early_rows",
    "driftloop_decision_age_seconds",
    "driftloop_unknown_class_labels",
)


class Sentence(Part, frozen=True, kw_only=True):
    """``about``: a project, or the stack. ``act``: what a person should do; null when nothing."""

    about: str
    says: str
    act: str | None = None


class Seen(NamedTuple):
    """One instance: ``told`` is its ``/status``, ``before`` and ``now`` its metrics ``seconds`` apart; None while it does not answer."""

    instance: str
    project: str | None
    told: Mapping[str, Any]
    before: Samples | None
    now: Samples | None
    seconds: float
    not_ready: str | None = None  # why, in its own words; null when it is ready or does not answer

    @property
    def service(self) -> str:
        return self.instance.rpartition("-")[0]


class _Policy(Part, frozen=True, kw_only=True):
    """As the monitor's ``/status`` has it; older monitors say nothing."""

    last_decision: Time | None = None
    reason: str = ""
    accepted: bool = False
    overdue_seconds: float = 0.0
    budget: int = 0
    budget_period: str = ""
    budget_left: int = 0
    budget_at_once: int = 0
    budget_kept: int = 0
    next_attempt: Time | None = None


def project_sentences(project: str, seen: Sequence[Seen], quarantined: int | None, now: datetime) -> list[Sentence]:
    """``seen``: the instances that work for it. ``quarantined``: messages in the last hour; None: not known."""
    services = list(dict.fromkeys(one.service for one in seen))
    found = [_progress(project, service, [one for one in seen if one.service == service]) for service in services]
    if quarantined is not None:
        act = "`driftloop quarantine list` says why" if quarantined else None
        found.append(Sentence(about=project, says=f"quarantine: {_count(quarantined, 'message')} in the last hour", act=act))
    found += _not_ready(project, seen)
    samples = together(one.now for one in seen if one.now is not None)
    found += _rows(project, samples)
    found += _challengers(project, seen)
    policies = [policy for one in seen if (policy := _policy(one.told)) is not None]
    if policies:
        ages = [sample.value for sample in samples.of("driftloop_decision_age_seconds") if not math.isnan(sample.value)]
        found += _decisions(
            project, max(policies, key=lambda p: p.last_decision or datetime.min.replace(tzinfo=UTC)), min(ages, default=None), now
        )
    return found


def stack_sentences(seen: Iterable[Seen], restarts: Mapping[str, int], failures: Mapping[str, str]) -> list[Sentence]:
    """About what all projects share, and about processes."""
    shared = [one for one in seen if one.project is None]
    found = _not_ready("stack", shared)
    for one in shared:
        if one.now is None:
            found.append(Sentence(about="stack", says=f"{one.instance}: does not answer", act=f"see the log of {one.instance}"))
        held_up = _held_up([one])
        if held_up is not None:
            found.append(Sentence(about="stack", says=f"{one.instance}: {held_up}", act=f"see the log of {one.instance}"))
        if isinstance(dead := one.told.get("dead"), int) and dead:
            says = f"{one.instance}: {_count(dead, 'message')} to people did not arrive"
            found.append(Sentence(about="stack", says=says, act="`driftloop notifications list --dead` says why; `retry` sends them again"))
        failed = one.told.get("last_failure")
        if isinstance(failed, dict):
            says = f"training: the run of {failed.get('model')} for request {failed.get('request_id')} failed: {failed.get('reason')}"
            found.append(Sentence(about="stack", says=says, act="driftloop models runs"))
    refused = together(one.now for one in shared if one.now is not None).by("driftloop_refused_calls_total", "status")
    if refused:
        found.append(Sentence(about="stack", says=f"HTTP: refused since the start: {_listed(refused)}"))
    for name, count in sorted(restarts.items()):
        found.append(Sentence(about="stack", says=f"{name}: started again {_count(count, 'time')}", act=f"the log of {name} says why"))
    for name, reason in sorted(failures.items()):
        found.append(Sentence(about="stack", says=f"{name}: given up: {reason}", act="mend it, then `driftloop up`"))
    return found


def _not_ready(about: str, seen: Iterable[Seen]) -> list[Sentence]:
    says = {one.instance: one.not_ready for one in seen if one.not_ready is not None and not one.told.get("gap")}
    return [Sentence(about=about, says=f"{name}: not ready: {why}", act=f"see the log of {name}") for name, why in says.items()]


def _progress(project: str, service: str, seen: Sequence[Seen]) -> Sentence:
    answering = [one for one in seen if one.now is not None]
    if not answering:
        return Sentence(about=project, says=f"{service}: does not answer", act=f"see the log of {service}")
    samples = together(one.now for one in answering if one.now is not None)
    behind = messages_behind(samples)
    says = f"{service}: {'at the end' if not behind else f'{behind:,} messages behind'}, {rows_per_second(answering):,.0f} rows/s"
    held_up, gap = _held_up(answering), next((one.told["gap"] for one in answering if one.told.get("gap")), None)
    if gap is not None:
        accept = "driftloop lake accept-gap, if the messages are lost"
        act = "delete the topic, then make it anew with driftloop up --project DIR" if LOST_END in gap else accept
        return Sentence(about=project, says=f"{says}; stopped at a gap: {gap}", act=act)
    if held_up is not None:
        return Sentence(about=project, says=f"{says}; {held_up}", act=f"see the log of {service}: what it waits for, it repeats there")
    return Sentence(about=project, says=says)


def _rows(project: str, samples: Samples) -> list[Sentence]:
    found = []
    unscored = samples.by("driftloop_unscored_rows_total", "reason")
    if unscored:
        act = "see /status of the predictor: what the pipeline says of them" if set(unscored) - {"no-model"} else None
        found.append(Sentence(about=project, says=f"unscored rows since the start: {_listed(unscored)}", act=act))
    late, early = samples.total("driftloop_too_late_rows"), samples.total("driftloop_too_early_rows")
    if late or early:
        act = "look at the senders' clocks" + ("; raise [stream] allowed_lateness for late rows" if late else "")
        act += '; [stream] clock = "replay" if event times are another clock\'s' if early else ""
        found.append(Sentence(about=project, says=f"rows in no report: {late:,.0f} too late, {early:,.0f} too early", act=act))
    refused = samples.by("driftloop_refused_calls_total", "status")
    if refused:
        found.append(Sentence(about=project, says=f"HTTP: refused since the start: {_listed(refused)}"))
    unknown = samples.total("driftloop_unknown_class_labels")
    if unknown:
        says = f"labels of a class that no version knows: {unknown:,.0f} in the window that was measured last"
        found.append(Sentence(about=project, says=says, act="if the class is right, `driftloop retrain` learns it; else mend the labels"))
    return found


def _challengers(project: str, seen: Iterable[Seen]) -> list[Sentence]:
    told = [shadow for one in seen if isinstance(shadow := one.told.get("shadow"), dict)]
    if not told:
        return []
    version = next((shadow["version"] for shadow in told if shadow.get("version") is not None), None)
    rows, lag = sum(shadow.get("rows") or 0 for shadow in told), max(shadow.get("lag_seconds") or 0 for shadow in told)
    who = "a version, which is not loaded yet," if version is None else f"version {version}"
    says = f"challenger: {who} has answered {_count(rows, 'row')} beside the champion" + (f", {_ago(lag)} behind" if lag > 1 else "")
    problem = next((shadow["last_error"] for shadow in told if shadow.get("last_error")), None)
    if problem is not None:
        return [Sentence(about=project, says=f"{says}; {problem}", act="see the log of ingest")]
    act = "the champion waits for nobody; what is too old is left out (SHADOW_MAX_LAG_SECONDS)" if lag > BEHIND_SECONDS else None
    return [Sentence(about=project, says=says, act=act)]


def _decisions(project: str, policy: _Policy, age: float | None, now: datetime) -> list[Sentence]:
    found = []
    if policy.overdue_seconds > OVERDUE_SECONDS:
        says = f"a closed window has waited {_ago(policy.overdue_seconds)} longer for its decision than its labels may take"
        found.append(Sentence(about=project, says=says, act="see last_error in /status of the monitor, and whether ingest is behind"))
    if policy.last_decision is None:
        return [*found, Sentence(about=project, says="no window was decided yet")]
    answer = "yes" if policy.accepted else "no"
    ago = _ago((now - policy.last_decision).total_seconds() if age is None else age)
    found.append(Sentence(about=project, says=f"last decision {ago} ago: {answer}, {policy.reason}"))
    budget = f"budget: {policy.budget_left} of {policy.budget} attempts left in {policy.budget_period}"
    if policy.budget_at_once < policy.budget_left:
        budget += f", {policy.budget_at_once} of them at once"
    if policy.budget_kept:
        budget += f", {policy.budget_kept} at once kept for drift and performance"
    if policy.next_attempt is not None and policy.budget_at_once <= policy.budget_kept:
        budget += f"; the next is possible at {policy.next_attempt.isoformat()} (event time)"
    act = "`driftloop retrain` asks for one now; [policy] budget allows more" if policy.budget_at_once < 1 else None
    return [*found, Sentence(about=project, says=budget, act=act)]


def _policy(told: Mapping[str, Any]) -> _Policy | None:
    try:
        return msgspec.convert(told.get("policy"), prepared(_Policy | None), strict=False)
    except msgspec.ValidationError:  # of another release
        return None


def messages_behind(samples: Samples) -> int:
    """Of all partitions together."""
    durable = {tuple(sorted(s.labels.items())): s.value for s in samples.of("driftloop_durable_offset")}
    ends = ((tuple(sorted(s.labels.items())), s.value) for s in samples.of("driftloop_end_offset"))
    return int(sum(max(0.0, end - durable[place]) for place, end in ends if place in durable))


def _held_up(seen: Iterable[Seen]) -> str | None:
    worst = max(
        (sample for one in seen if one.now is not None for sample in one.now.of("driftloop_behind_seconds")),
        key=lambda sample: sample.value,
        default=None,
    )
    if worst is None or worst.value < BEHIND_SECONDS:
        return None
    return f"{worst.labels.get('topic')}[{worst.labels.get('partition')}] has not got on for {_ago(worst.value)}"


def rows_per_second(seen: Iterable[Seen]) -> float:
    """Of the instances that answered twice and did not start in between."""
    rates = []
    for one in seen:
        if one.now is not None and one.before is not None and one.seconds > 0:
            rates.append((one.now.total("driftloop_rows_total") - one.before.total("driftloop_rows_total")) / one.seconds)
    return sum(max(0.0, rate) for rate in rates)


def _listed(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{count:,.0f} {name}" for name, count in counts.items())


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
