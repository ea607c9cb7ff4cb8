"""Incidents: windows in a row that drifted in columns that they share are one, with a beginning and an end. Pure.

A fold over windows in order. A calm window ends an incident, and so does one that drifted in other columns alone, which begins
another; a window without a verdict says nothing and leaves it open. Late rows correct a window: then all that follows from
it is folded again, and what is otherwise than it was told is told again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import DriftReported, IncidentReported, IncidentState
from driftloop.contracts.values import Count, DriftVerdict, Part, Time, Window
from driftloop.statistics.profile import SCORE

COLUMNS_KEPT = 20  # those furthest away: an incident goes through the table with each of its windows


class Incident(Part, frozen=True, kw_only=True):
    """One that is open. ``columns``: their largest distances, ``severity`` the largest of all; ``end``: of its last window."""

    incident: str
    start: Time
    end: Time
    windows: Count
    columns: dict[str, float]
    severity: float
    version: int | None  # whose reports opened it


class Alarm(NamedTuple):
    """What a window's drift report comes to. ``columns``: those that drifted, with their distances."""

    window: Window
    verdict: DriftVerdict | None
    columns: Mapping[str, float]
    version: int | None


class Standing(NamedTuple):
    """How an incident stands after a window."""

    state: IncidentState
    incident: Incident
    window: Window


def drifted_columns(report: DriftReported) -> dict[str, float]:
    """Those that drifted, the score included, by falling distance; at most COLUMNS_KEPT."""
    columns = dict(report.features) | ({} if report.score is None else {SCORE: report.score})
    found = {name: drift.distance or 0.0 for name, drift in columns.items() if drift.drifted}
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:COLUMNS_KEPT])


def after(model: str, open_one: Incident | None, alarm: Alarm) -> tuple[Incident | None, tuple[Standing, ...]]:
    """The incident that is open after a window, and what the window changed."""
    if alarm.verdict not in ("calm", "drifted"):
        return open_one, ()
    if alarm.verdict == "drifted" and open_one is not None and open_one.columns.keys() & alarm.columns.keys():
        longer = _longer(open_one, alarm)
        return longer, (Standing("changed", longer, alarm.window),)
    ended = () if open_one is None else (Standing("closed", open_one, alarm.window),)
    if alarm.verdict == "calm":
        return None, ended
    begun = _begun(model, alarm)
    return begun, (*ended, Standing("opened", begun, alarm.window))


def standings(model: str, open_one: Incident | None, alarms: Iterable[Alarm]) -> dict[str, Standing]:
    """How each incident that windows in order changed stands in the end, by its id."""
    found: dict[str, Standing] = {}
    for alarm in alarms:
        open_one, changed = after(model, open_one, alarm)
        for standing in changed:
            found.pop(standing.incident.incident, None)  # in the order in which they changed last
            found[standing.incident.incident] = standing
    return found


def told(
    model: str, stream: str, open_one: Incident | None, before: Sequence[Alarm], now: Sequence[Alarm], window: Window
) -> list[IncidentReported]:
    """What is to be said after ``window`` was reported: ``before`` and ``now`` are the alarms from it on, as they were and are.

    An incident that a correction has taken away altogether is closed with no windows.
    """
    was, stands = standings(model, open_one, before), standings(model, open_one, now)
    gone = []
    for name, old in was.items():
        if name not in stands:
            kept = open_one is not None and open_one.incident == name  # open before the window, which has nothing to do with it now
            gone.append(
                Standing("changed", open_one, window) if kept and open_one else Standing("closed", _withdrawn(old.incident), window)
            )
    changed = [one for name, one in stands.items() if name not in was or _said(was[name]) != _said(one)]
    return [_event(model, stream, standing) for standing in (*gone, *changed)]


def event_id(event: IncidentReported) -> str:
    """From what it says: the same once more is the same event."""
    columns = sorted(event.columns.items())
    return caused_id("incident", event.incident, event.state, event.window.start, event.window.end, event.end, event.windows, columns)


def _said(standing: Standing) -> tuple[IncidentState, Incident]:
    return standing.state, standing.incident


def _event(model: str, stream: str, standing: Standing) -> IncidentReported:
    found = standing.incident
    return IncidentReported(
        model=model,
        stream=stream,
        incident=found.incident,
        state=standing.state,
        start=found.start,
        end=found.end,
        windows=found.windows,
        columns=found.columns,
        severity=found.severity,
        version=found.version,
        window=standing.window,
    )


def _begun(model: str, alarm: Alarm) -> Incident:
    return Incident(
        incident=caused_id("incident", model, alarm.window.start, alarm.window.end),
        start=alarm.window.start,
        end=alarm.window.end,
        windows=1,
        columns=dict(alarm.columns),
        severity=max(alarm.columns.values(), default=0.0),
        version=alarm.version,
    )


def _longer(found: Incident, alarm: Alarm) -> Incident:
    columns = {name: max(found.columns.get(name, 0.0), alarm.columns.get(name, 0.0)) for name in {**found.columns, **alarm.columns}}
    kept = dict(sorted(columns.items(), key=lambda pair: (-pair[1], pair[0]))[:COLUMNS_KEPT])
    return Incident(
        incident=found.incident,
        start=found.start,
        end=alarm.window.end,
        windows=found.windows + 1,
        columns=kept,
        severity=max(found.severity, *alarm.columns.values(), 0.0),
        version=found.version,
    )


def _withdrawn(found: Incident) -> Incident:
    return Incident(incident=found.incident, start=found.start, end=found.start, windows=0, columns={}, severity=0.0, version=found.version)
