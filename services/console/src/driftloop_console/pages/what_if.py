"""*What if*: other thresholds of drift over the windows that were recorded: which would have been called drifted, what the project's own
policy would have asked for, and which incidents there would have been. The policy and the incidents are the services' own functions."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from driftloop.contracts.events import DecisionMade
from driftloop.contracts.values import Window
from driftloop.errors import TransientError, UserError
from driftloop.monitoring.incidents import COLUMNS_KEPT, Alarm, Incident, after
from driftloop.monitoring.replay import Replay, replay
from driftloop.project.rules import Policy
from driftloop.registry.records import ProjectRef
from driftloop.registry.state import RegistryState
from driftloop_console.columns import Array, milliseconds, moment
from driftloop_console.drift_table import AT_THRESHOLD, DISTANCE_STEPS, VERDICTS, DriftTable
from driftloop_console.record import ConsoleFold
from driftloop_console.retrain_record import decisions
from driftloop_console.view import View

AS_IT_WAS = 100  # per cent of the threshold
LEAST_THRESHOLD, MOST_THRESHOLD = 25, 400
SHOWN = 20
REPLAYED = 3_000  # decisions, the newest of the range: a budget looks at each attempt of its period again with each window
_CALM, _DRIFTED = VERDICTS.index("calm"), VERDICTS.index("drifted")


class Windows(NamedTuple):
    """Of each window the report that its verdict is from, an array a field; ``repeated``: the threshold of the policy's k of n."""

    start: Array
    end: Array
    verdict: Array
    distance: Array
    threshold: Array
    repeated: Array
    cells: Array
    distances: Array
    names: tuple[str, ...]


def what_if(
    record: ConsoleFold, registry: RegistryState, policy_of: Callable[[ProjectRef], Policy], view: View, model: str
) -> dict[str, Any]:
    """``threshold`` in the address: in per cent of what it was. Without the project's policy, for which the store is asked, windows and
    incidents are told."""
    percent = view.whole("threshold", AS_IT_WAS, least=LEAST_THRESHOLD, most=MOST_THRESHOLD)
    with record.reading():  # copied, and thought about when nobody waits
        tables, encoded = record.tables(model), record.retrains.encoded(model)
        windows = None if tables is None or tables.drift.table.rows == 0 else windows_of(tables.drift)
    said = {"model": model, "threshold": percent, "least": LEAST_THRESHOLD, "most": MOST_THRESHOLD}
    if windows is None:
        return said | {"windows": None, "incidents": None, "requests": None, "differing": [], "sentences": [], "why_not": None}
    factor, inside = percent / 100, _inside(windows, view)
    verdicts = verdicts_at(windows, factor)
    was, would = (windows.verdict[inside], verdicts[inside])
    before, then = (incidents_of(model, windows, each, scale, inside) for each, scale in ((windows.verdict, 1.0), (verdicts, factor)))
    told, why_not = _replayed(registry, policy_of, model, _newest(decisions(model, encoded), view), windows, factor)
    shown = None if told is None else [each for each in told.decisions if _within(each.window, view)]
    counted = {
        "windows": {
            "of": int(inside.sum()),
            "were": int(np.count_nonzero(was == _DRIFTED)),
            "would_be": int(np.count_nonzero(would == _DRIFTED)),
            "differ": int(np.count_nonzero(was != would)),
            "by_constants": int(np.count_nonzero(np.isnan(windows.threshold[inside]) & np.isin(was, (_CALM, _DRIFTED)))),
        },
        "incidents": {"were": len(before), "would_be": len(then), "differ": len(before ^ then)},
        "requests": None
        if shown is None
        else {
            "of": len(shown),
            "were": sum(each.recorded for each in shown),
            "would_be": sum(each.replayed for each in shown),
            "differ": sum(each.differs for each in shown),
        },
    }
    differing = [each for each in reversed(shown or ()) if each.differs][:SHOWN]
    return (
        said
        | counted
        | {"known": len(windows.start)}
        | {"differing": differing, "why_not": why_not, "sentences": _sentences(percent, counted, why_not)}
    )


def windows_of(of: DriftTable) -> Windows:
    """The report on most rows of each window that a version scored, as the monitor takes it."""
    table = of.table
    order = np.lexsort((table["version"], table["rows"], table["version"] > 0, table["end"], table["start"]))
    start, end = table["start"][order], table["end"][order]
    last = np.append((start[1:] != start[:-1]) | (end[1:] != end[:-1]), True)
    rows = order[last]
    return Windows(
        start=table["start"][rows],
        end=table["end"][rows],
        verdict=table["verdict"][rows],
        distance=table["distance"][rows],
        threshold=table["threshold"][rows],
        repeated=table["repeated"][rows],
        cells=table["cells"][rows, : table.width],
        distances=table["distances"][rows, : table.width],
        names=tuple(of.names),
    )


def verdicts_at(windows: Windows, factor: float) -> Array:
    """Of a window that constants judge, or nobody, as it was."""
    movable = ~np.isnan(windows.threshold) & ~np.isnan(windows.distance) & np.isin(windows.verdict, (_CALM, _DRIFTED))
    if factor == 1.0:
        return windows.verdict
    moved = np.where(windows.distance > factor * windows.threshold, _DRIFTED, _CALM)
    found: Array = np.where(movable, moved, windows.verdict).astype(windows.verdict.dtype)
    return found


def incidents_of(model: str, windows: Windows, verdicts: Array, factor: float, inside: Array) -> set[tuple[int, int]]:
    """First and last moment of each that has a window inside, in milliseconds."""
    found: set[tuple[int, int]] = set()
    open_one: Incident | None = None
    for row in np.flatnonzero(np.isin(verdicts, (_CALM, _DRIFTED))).tolist():
        drifted = verdicts[row] == _DRIFTED
        if open_one is None and not drifted:
            continue  # nothing that a calm window could end
        window = Window(start=moment(windows.start[row]), end=moment(windows.end[row]))
        columns = _columns(windows, row, factor) if drifted else {}
        open_one, told = after(model, open_one, Alarm(window, VERDICTS[int(verdicts[row])], columns, None))
        for standing in told:
            start, end = milliseconds(standing.incident.start), milliseconds(standing.incident.end)
            found = {each for each in found if each[0] != start} if standing.state == "changed" else found
            found.add((start, end))
    seen = windows.start[inside]
    return {(start, end) for start, end in found if np.searchsorted(seen, end) > np.searchsorted(seen, start)}


def _columns(windows: Windows, row: int, factor: float) -> dict[str, float]:
    """Those that are over the threshold, the furthest first; the distances are rounded, so the furthest is always one."""
    distances = windows.distances[row].astype("f8") / DISTANCE_STEPS
    threshold = windows.threshold[row]
    over = windows.cells[row] > AT_THRESHOLD if np.isnan(threshold) else distances > factor * threshold
    furthest = np.argsort(-distances, kind="stable")[: COLUMNS_KEPT + 1]
    kept = [int(at) for at in furthest if over[at]][:COLUMNS_KEPT] or [int(furthest[0])]
    return {windows.names[at]: float(distances[at]) for at in kept}


def _replayed(
    registry: RegistryState,
    policy_of: Callable[[ProjectRef], Policy],
    model: str,
    made: Sequence[DecisionMade],
    windows: Windows,
    factor: float,
) -> tuple[Replay | None, str | None]:
    known = registry.model(model)
    if known is None or known.project is None:
        return None, f"no project is registered for {model}, so its policy is not known: `driftloop up --project DIR` registers one"
    try:
        policy = policy_of(known.project)
    except (UserError, TransientError) as exc:
        return None, str(exc)
    ratio = _ratios(windows)
    return replay(model, policy, [_at(decision, factor, ratio) for decision in made]), None


def _newest(made: Sequence[DecisionMade], view: View) -> list[DecisionMade]:
    """In the order of their windows; the policy begins with the first of them as if there had been none before."""
    before = [each for each in made if each.window is not None and (view.end_ms is None or milliseconds(each.window.start) < view.end_ms)]
    return sorted(before, key=lambda each: (each.window.start, each.window.end) if each.window else ())[-REPLAYED:]


def _ratios(windows: Windows) -> dict[tuple[int, int], float]:
    """Of each window that a calibrated threshold judges: that for k of n windows by that for one; 1 where it has none of its own."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = windows.repeated / windows.threshold
    found = np.where(np.isfinite(found), found, 1.0)
    movable = np.flatnonzero(windows.threshold > 0)
    starts, ends = windows.start[movable].tolist(), windows.end[movable].tolist()
    return dict(zip(zip(starts, ends, strict=True), found[movable].tolist(), strict=True))


def _at(decision: DecisionMade, factor: float, ratio: dict[tuple[int, int], float]) -> DecisionMade:
    """The decision with evidence as it would have been."""
    evidence, window = decision.evidence, decision.window
    value, threshold = evidence.get("value"), evidence.get("threshold")
    if factor == 1.0 or value is None or threshold is None or window is None:
        return decision
    of = ratio.get((milliseconds(window.start), milliseconds(window.end)))
    return decision if of is None else msgspec.structs.replace(decision, evidence=evidence | {"drifted": value > factor * threshold * of})


def _inside(windows: Windows, view: View) -> Array:
    since = -(2**62) if view.start_ms is None else view.start_ms
    until = 2**62 if view.end_ms is None else view.end_ms
    found: Array = (windows.start >= since) & (windows.start < until)
    return found


def _within(window: Window, view: View) -> bool:
    start = milliseconds(window.start)
    return (view.start_ms is None or start >= view.start_ms) and (view.end_ms is None or start < view.end_ms)


def _sentences(percent: int, counted: dict[str, Any], why_not: str | None) -> list[str]:
    """What a person reads while the slider moves."""
    windows, incidents, requests = counted["windows"], counted["incidents"], counted["requests"]
    were, of = f"{windows['were']:,}", f"{windows['of']:,}"
    if percent == AS_IT_WAS:
        found = [f"With the thresholds as they were, {were} of {of} windows drifted, in {incidents['were']:,} incidents."]
    else:
        found = [
            f"At {percent} % of the threshold {windows['would_be']:,} of {of} windows would have drifted instead of {were}: "
            f"{windows['differ']:,} are otherwise.",
            f"{incidents['would_be']:,} incidents instead of {incidents['were']:,}; {incidents['differ']:,} are otherwise or in one alone.",
        ]
    if requests is None:
        found.append(f"How often a new version would have been asked for is not known: {why_not}")
    else:
        found.append(
            f"By the project’s policy of now a new version would have been asked for {requests['would_be']:,} times instead of "
            f"{requests['were']:,}; {requests['differ']:,} of {requests['of']:,} decisions are otherwise."
        )
    if windows["by_constants"]:
        found.append(f"{windows['by_constants']:,} windows were judged by constants that the project states, and stay as they were.")
    return found
