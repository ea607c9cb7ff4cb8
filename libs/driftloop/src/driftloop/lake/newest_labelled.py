"""The newest event that has a label, found from the end of history: only its last rows are joined, so many at a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pyarrow.compute as pc

from driftloop.lake.known_rows import labelled_rows
from driftloop.lake.table import FileEntry, LakeTable

MOST_ROWS = 500_000  # of both tables in one look, unless a single file holds more
_MOMENT = timedelta(microseconds=1)


def newest_labelled_time(inferences: LakeTable, labels: LakeTable, before: datetime | None) -> datetime | None:
    """Event time of the newest inference before a time (None: any) that has a label; None when no row has one.

    An inference and its label count when one look has both: a label that names the time of another event far away is passed
    over, as windows pass over it. Raises TransientError.
    """
    for start, end in looks((*inferences.files(None, before), *labels.files(None, before)), before):
        if labels.files(start, end):  # rows that nobody has labelled yet are not read
            rows = labelled_rows(inferences, labels, start=start, end=end, columns=["event_time"])
            if rows.num_rows:
                newest: datetime = pc.max(rows.column("event_time")).as_py()
                return newest
    return None


def looks(files: Sequence[FileEntry], before: datetime | None) -> Iterator[tuple[datetime, datetime]]:
    """Intervals of event time that cover all rows before a time, the newest first. Each begins where a file does."""
    if not files:
        return
    end = before or max(f.event_time_max for f in files) + _MOMENT
    starts = sorted({f.event_time_min for f in files}, reverse=True)
    while starts:
        if starts[0] >= end:
            starts.pop(0)
            continue
        taken = 0
        while taken + 1 < len(starts) and _rows(files, starts[taken + 1], end) <= MOST_ROWS:
            taken += 1
        yield starts[taken], end
        end, starts = starts[taken], starts[taken + 1 :]


def _rows(files: Sequence[FileEntry], start: datetime, end: datetime) -> int:
    """At most so many rows are in the interval."""
    return sum(f.rows for f in files if f.event_time_min < end and f.event_time_max >= start)
