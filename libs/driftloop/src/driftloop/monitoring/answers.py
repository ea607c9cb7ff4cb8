"""What a window means: whether its columns have drifted, and whether the loss has risen, make four answers. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import Answer, LossAlarm, MovedColumn, WindowAnswer
from driftloop.monitoring.drift import moved
from driftloop.statistics.profile import SCORE

KEPT = 20  # columns of a window of which something is remembered
NAMED = 5  # in a sentence
_ANSWERS: dict[tuple[bool, bool], Answer] = {  # has drifted, loses more
    (False, False): "calm",
    (True, False): "benign-drift",
    (False, True): "silent-decay",
    (True, True): "harmful-drift",
}


def moved_columns(report: DriftReported) -> tuple[MovedColumn, ...]:
    """The columns of a report that have drifted, then the others, each by how far they moved; KEPT of them at most."""
    columns = dict(report.features) | ({} if report.score is None else {SCORE: report.score})
    found = [MovedColumn(column=name, distance=moved(drift), drifted=drift.drifted) for name, drift in columns.items()]
    return tuple(sorted(found, key=lambda column: (not column.drifted, -column.distance, column.column)))[:KEPT]


def ranked(columns: Iterable[MovedColumn], importance: Mapping[str, float] | None) -> tuple[MovedColumn, ...]:
    """By distance × importance, the largest first. Importance below 0 is chance and counts as 0, that of a column which was not measured
    too: so is the score's. By distance where no importance was measured."""
    if importance is None:
        return tuple(sorted(columns, key=lambda column: (-column.distance, column.column)))
    known = (msgspec.structs.replace(column, importance=importance.get(column.column)) for column in columns)
    return tuple(sorted(known, key=lambda c: (-c.distance * max(c.importance or 0.0, 0.0), -c.distance, c.column)))


def window_answer(
    drifted: bool, columns: Sequence[MovedColumn], alarm: LossAlarm | None, importance: Mapping[str, float] | None = None
) -> WindowAnswer:
    """``drifted``: the drift verdict; ``columns``: the window's; ``alarm`` None: nobody knows yet whether the loss has risen."""
    harmful = alarm is not None and alarm.raised
    answer = _ANSWERS[drifted, harmful]
    told = [column for column in columns if column.drifted] if drifted else list(columns) if harmful else []
    named = ranked(told, importance)
    return WindowAnswer(
        answer=answer,
        reason=_reason(drifted, named, alarm),
        harm_known=alarm is not None,
        columns=named,
        alarm=alarm,
    )


def _reason(drifted: bool, columns: Sequence[MovedColumn], alarm: LossAlarm | None) -> str:
    names = ", ".join(column.column for column in columns[:NAMED]) + (f" and {len(columns) - NAMED} more" if len(columns) > NAMED else "")
    if drifted:
        where = f"drift in {names}" if names else "drift"
    elif alarm is not None and alarm.raised:
        where = f"no drift (moved most: {names})" if names else "no drift"
    else:
        where = "no drift"
    return f"{where}; {_loss(alarm)}"


def _loss(alarm: LossAlarm | None) -> str:
    if alarm is None:
        return "whether the loss has risen is not known yet: no reference was measured at training, and too few windows have labels"
    since = "at training" if alarm.reference_from == "training" else "in the version's first windows"
    counted = f"{alarm.windows} window{'' if alarm.windows == 1 else 's'}"
    evidence = f"evidence {alarm.e:.3g} after {counted}, alarm at {1 / alarm.alpha:.3g}; the loss was {alarm.reference:.4f} {since}"
    return f"the loss has risen ({evidence})" if alarm.raised else f"no sign that the loss has risen ({evidence})"
