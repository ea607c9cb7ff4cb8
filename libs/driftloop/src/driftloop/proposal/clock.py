"""When a row happened, and when its label became known."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.datafile.times import UNIX, moments
from driftloop.errors import UserError
from driftloop.proposal.facts import ColumnFacts
from driftloop.proposal.wishes import NONE, Unsure, Wishes, option
from driftloop.rows.schemas import TIME

NAMES = ("event_time", "timestamp", "time", "datetime", "date", "ts")
DATE_PARTS = ("year", "month", "day")
ALMOST_ALL = 0.999  # of rows: a clock may have been wrong once
LATER = 0.9  # of rows, in which a column lies after the event
_UNIX_RANGE = {"unix": (1e8, 4e9), "unix_ms": (1e11, 4e12)}  # 1973 to 2096


class TimeChoice(NamedTuple):
    """``columns``: one of times, or those of year, month and day. ``values``: the moments, in UTC."""

    columns: tuple[str, ...]
    values: pa.ChunkedArray
    why: str
    written: str | None = None
    warnings: tuple[str, ...] = ()


def choose_time(facts: Sequence[ColumnFacts], wishes: Wishes) -> TimeChoice:
    """Raises Unsure, and UserError where no column can be it."""
    by_name = {column.name: column for column in facts}
    if wishes.time:
        for name in wishes.time:
            if name not in by_name:
                raise UserError(f"{option('time')}: the file has no column {name!r}; it has {', '.join(list(by_name)[:40])}")
        return _stated([by_name[name] for name in wishes.time], wishes)
    found = [column for column in facts if column.kind == "datetime" and column.known]
    if len(found) > 1:
        return _first_of(found, wishes)
    if found:
        return _checked(found[0], "the only column of times", wishes)
    if unix := [column for column in facts if column.name.lower() in NAMES and _unix(column) is not None]:
        return _stated(unix[:1], wishes)
    parts = [by_name[name] for part in DATE_PARTS for name in by_name if name.lower() == part and by_name[name].kind == "integer"]
    if len(parts) >= 2:
        return _stated(parts, wishes)
    for column in facts:
        if column.problem is not None and any(told in column.problem for told in ("times written in", "times with an offset")):
            raise UserError(
                f"column {column.name!r} {column.problem}; write every time alike, or name another column with {option('time')}"
            )
    raise UserError(f"no column holds times, and a loop has to know when each row happened: name one with {option('time')}")


def _stated(columns: Sequence[ColumnFacts], wishes: Wishes) -> TimeChoice:
    if len(columns) > 1:
        return _date(columns)
    column = columns[0]
    unix = wishes.time_format if wishes.time_format in UNIX else _unix(column)
    if unix is not None and column.kind in ("integer", "number"):
        values = moments(column.values, unix, wishes.timezone)
        return _whole(column.name, values, TimeChoice((column.name,), values, f"{unix}: counted since 1970", unix))
    if column.kind != "datetime":
        raise UserError(f"{option('time')}: column {column.name!r} {column.problem or f'holds no times: it is a {column.kind}'}")
    return _checked(column, "as stated", wishes)


def _unix(column: ColumnFacts) -> str | None:
    if column.kind not in ("integer", "number") or not column.known:
        return None
    least, most = (pc.min_max(column.values)[end].as_py() for end in ("min", "max"))
    return next((unit for unit, (low, high) in _UNIX_RANGE.items() if low <= least and most <= high), None)


def _date(columns: Sequence[ColumnFacts]) -> TimeChoice:
    names = tuple(column.name for column in columns)
    if not 2 <= len(columns) <= 3 or any(column.kind != "integer" for column in columns):
        raise UserError(f"{option('time')}: name one column of times, or whole numbers of year, month and, maybe, day")
    parts = [pc.fill_null(column.values.cast(pa.string()), "?") for column in columns] + [pa.scalar("1")] * (3 - len(columns))
    try:
        values = pc.strptime(pc.binary_join_element_wise(*parts, "-"), format="%Y-%m-%d", unit="us").cast(TIME)
    except pa.ArrowException as exc:
        raise UserError(f"{option('time')}: {', '.join(names)} are no days in every row: {exc}") from exc
    return TimeChoice(
        names, pa.chunked_array([values]) if isinstance(values, pa.Array) else values, "the days that they tell, at midnight UTC"
    )


def _first_of(found: Sequence[ColumnFacts], wishes: Wishes) -> TimeChoice:
    """What happens first, if one of them always does: the others are then of what came of it."""
    whole = [column for column in found if not column.missing]
    for column in whole:
        if all(share_after(other.values, column.values, strictly=False) >= ALMOST_ALL for other in found if other is not column):
            earlier = [
                other for other in whole if other is not column and share_after(column.values, other.values, strictly=False) >= ALMOST_ALL
            ]
            if not earlier:
                return _checked(column, f"before {', '.join(other.name for other in found if other is not column)} in every row", wishes)
    named = [column for column in whole if column.name.lower() in NAMES]
    proposed = named[0].name if len(named) == 1 else None
    raise Unsure("time", "several columns hold times: when does a row happen?", tuple(column.name for column in found), proposed)


def _checked(column: ColumnFacts, why: str, wishes: Wishes) -> TimeChoice:
    if len(column.ways) > 1:
        question = f"the times of {column.name!r}, such as {_shown(column)}, can be read in several ways"
        raise Unsure("time_format", question, column.ways)
    warnings = []
    if column.no_zone and column.written not in UNIX:
        warnings.append(
            f"the times of {column.name} have no offset from UTC: they are taken as {wishes.timezone}; --timezone says another zone"
        )
    return _whole(column.name, column.values, TimeChoice((column.name,), column.values, why, column.written, tuple(warnings)))


def _whole(name: str, values: pa.ChunkedArray, choice: TimeChoice) -> TimeChoice:
    if values.null_count:
        row = pc.index(pc.is_null(values), True).as_py() + 1
        told = (
            f"{values.null_count:,} rows have no {name!r}, the first of them row {row:,}: a row without its time has no place in a stream"
        )
        raise UserError(f"{told}; take them out of the file, or name another column with {option('time')}")
    return choice


def _shown(column: ColumnFacts) -> str:
    return f"{column.values[0].as_py():%d %B %Y} by the first way"


def share_after(later: pa.ChunkedArray, earlier: pa.ChunkedArray, *, strictly: bool = True) -> float:
    """Of the rows that have both, in how many ``later`` lies after ``earlier``, or, unless ``strictly``, not before it."""
    compare = pc.greater if strictly else pc.greater_equal
    both = pc.and_(pc.is_valid(later), pc.is_valid(earlier))
    n = pc.sum(both).as_py() or 0
    return (pc.sum(pc.fill_null(compare(later, earlier), False)).as_py() or 0) / n if n else 0.0


def choose_label_time(
    facts: Sequence[ColumnFacts], time: TimeChoice, labels: pa.ChunkedArray, wishes: Wishes
) -> tuple[str | None, str, dict[str, str]]:
    """The column that says when a label became known, why, and what is later than the event, by column with the reason."""
    later = {
        column.name: "later than the event, in almost every row: not known when the row is asked about"
        for column in facts
        if column.kind == "datetime" and column.name not in time.columns and _follows(column, time.values)
    }
    if wishes.label_time == NONE:
        return None, "as stated", later
    if wishes.label_time is not None:
        known = next((column for column in facts if column.name == wishes.label_time), None)
        if known is None or known.kind != "datetime":
            raise UserError(f"{option('label_time')}: {wishes.label_time!r} is no column of times")
        return wishes.label_time, "as stated", later
    labelled = pc.is_valid(labels)
    fitting = [column.name for column in facts if column.name in later and _known_with(column, labelled)]
    if len(fitting) > 1:
        raise Unsure("label_time", "several columns lie after the event: when is the label known?", (*fitting, NONE))
    if fitting:
        return fitting[0], "after the event, and there in every row that has a label", later
    return None, "no column says it", later


def _follows(column: ColumnFacts, times: pa.ChunkedArray) -> bool:
    strictly, ever = share_after(column.values, times), share_after(column.values, times, strictly=False)
    return strictly >= LATER and ever >= ALMOST_ALL


def _known_with(column: ColumnFacts, labelled: pa.ChunkedArray) -> bool:
    """Whether no labelled row lacks it: a label without its moment could not be sent."""
    return not pc.any(pc.and_(labelled, pc.is_null(column.values))).as_py()


def micros(times: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = times.cast(pa.int64()).to_numpy()
    return found
