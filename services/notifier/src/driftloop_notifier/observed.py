"""What goes wrong without a word on the record: services that stall or stand at a gap, versions that wait. Pure.

A stall must last before it is one, so a restart tells nobody anything. It has ended when the service is ready again and gets on, not
when it says something else for a moment: a service at a gap ends, is started again, and meets the gap again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from driftloop.client.samples import Samples
from driftloop.client.service_status import ServiceStatus
from driftloop.contracts.notifications import NotificationDue
from driftloop.contracts.notify_rules import NotifyKind
from driftloop.registry.records import ApprovalStatus
from driftloop.registry.state import RegistryState
from driftloop_notifier.conditions import Condition
from driftloop_notifier.wording import one_line

Open = Sequence[NotificationDue]  # beginnings that were told and have not ended
NOT_A_STALL = "retrain-requests"  # a training may take its hours


class Seen(NamedTuple):
    """One instance: ``told`` is its ``/status``; ``samples`` its metrics, None when it does not answer."""

    status: ServiceStatus
    told: Mapping[str, Any]
    samples: Samples | None


class Trouble(NamedTuple):
    """``lasts``: how long already, by what the service says itself."""

    kind: NotifyKind
    says: str
    act: str
    lasts: timedelta = timedelta(0)


class Watch:
    """Since when each instance has been in trouble, round after round. ``stall``: how long one must last to be told."""

    def __init__(self, stall: timedelta) -> None:
        self.stall = stall
        self._since: dict[tuple[NotifyKind, str], datetime] = {}  # by kind and instance
        self._projects: dict[str, str] = {}  # that instances have worked for, which one that does not answer cannot say
        self._present: dict[tuple[NotifyKind, str], Condition] = {}
        self._well: set[str] = set()

    def look(self, seen: Iterable[Seen], now: datetime) -> None:
        """One round: all instances that there are."""
        since: dict[tuple[NotifyKind, str], datetime] = {}
        self._present, self._well = {}, set()
        for one in seen:
            name = one.status.instance
            if isinstance(one.status.project, str):
                self._projects[name] = one.status.project
            trouble = _trouble(one, self.stall)
            if trouble is None:
                self._well.add(name)
                continue
            place = (trouble.kind, name)
            since[place] = self._since.get(place, now - trouble.lasts)
            if trouble.kind == "gap" or now - since[place] >= self.stall:
                self._present[place] = self._condition(name, trouble, since[place])
        self._since = since

    def conditions(self, told: Open, now: datetime) -> list[Condition]:
        """What is in trouble now, under the key that it was told by if it was; and what was told and is well again."""
        found = list[Condition]()
        known: dict[tuple[NotifyKind | None, str], NotificationDue] = {(begun.kind, begun.about): begun for begun in told}
        for (kind, name), condition in self._present.items():
            if kind == "stall" and ("gap", name) in known:
                continue  # told already, as what it is
            begun = known.get((kind, name))
            found.append(condition if begun is None else _again(begun))
        over = {begun.key: begun for begun in told if begun.kind in ("stall", "gap") and begun.about in self._well}
        return [*found, *(_again(begun, until=now) for begun in over.values())]

    def _condition(self, name: str, trouble: Trouble, since: datetime) -> Condition:
        project = self._projects.get(name)
        return Condition(
            kind=trouble.kind,
            key=f"{name}@{since.isoformat()}",
            about=name,
            model=None,
            project=project,
            since=since,
            evidence={"instance": name, "project": project, "says": one_line(trouble.says), "act": trouble.act},
        )


def approvals(state: RegistryState, told: Open, now: datetime) -> Iterator[Condition]:
    """Versions that wait for a person, and those that were told to wait and no longer do."""
    waiting = {
        (model.model, standing.version): standing
        for model in state.models.values()
        for standing in model.standings.values()
        if standing.state == "waiting"
    }
    for (name, version), standing in waiting.items():
        yield Condition(
            kind="approval",
            key=f"{name}/{version}",
            about=f"{name}/{version}",
            model=name,
            since=standing.since,
            evidence={"version": version, "reason": one_line(standing.reason), "since": standing.since.isoformat()},
        )
    for begun in {begun.key: begun for begun in told if begun.kind == "approval"}.values():
        if begun.model is None:
            continue
        number, model = begun.evidence.get("version"), state.model(begun.model)
        if isinstance(number, int) and (begun.model, number) not in waiting:
            yield _again(begun, until=now, outcome=_outcome(model.standings.get(number) if model is not None else None))


def _again(begun: NotificationDue, until: datetime | None = None, **more: Any) -> Condition:
    assert begun.kind is not None  # what has begun is of a kind
    return Condition(
        kind=begun.kind,
        key=begun.key,
        about=begun.about,
        model=begun.model if begun.kind == "approval" else None,
        project=begun.evidence.get("project"),
        since=begun.at,
        until=until,
        evidence=dict(begun.evidence) | more,
    )


def _outcome(standing: ApprovalStatus | None) -> str:
    return "it, or another one, is champion" if standing is None else f"{standing.state} by {one_line(standing.by, 80)}"


def _trouble(one: Seen, stall: timedelta) -> Trouble | None:
    name, log = one.status.instance, f"see the log of {one.status.instance}"
    if one.status.state == "down":
        return Trouble("stall", "does not answer", log)
    if gap := one.told.get("gap"):
        return Trouble("gap", f"has stopped at a gap: {gap}", "driftloop status; driftloop lake accept-gap, if the messages are lost")
    if one.status.state == "not ready":
        reason = one.status.says.get("reason") if isinstance(one.status.says, dict) else None
        return Trouble("stall", f"is not ready: {reason or 'it does not say why'}", log)
    behind = [s for s in (one.samples.of("driftloop_behind_seconds") if one.samples else ()) if s.labels.get("topic") != NOT_A_STALL]
    worst = max(behind, key=lambda sample: sample.value, default=None)
    if worst is not None and worst.value >= stall.total_seconds():
        place = f"{worst.labels.get('topic')}[{worst.labels.get('partition')}]"
        says = f"has not got on with {place} for {worst.value / 60:.0f} minutes"
        return Trouble("stall", says, f"driftloop status; {log}: what {name} waits for, it repeats there", timedelta(seconds=worst.value))
    return None
