"""Late rows: which event times a commit brought. Labels carry their event's time, so they say which files their events can be in.

One commit may bring labels of an hour ago beside those of a year ago; its note knows the first and the last alone.
"""

from datetime import datetime, timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.errors import ObjectNotFound
from driftloop.lake.table import LakeTable

GAP = timedelta(hours=1)  # windows are hardly ever shorter, and one that lies in between is only looked at for nothing


def times_of_commit(table: LakeTable, version: int, gap: timedelta = GAP) -> list[tuple[datetime, datetime]]:
    """The event times that a commit brought, as spans, both ends included, with more than ``gap`` between two of them.

    Nothing for commits without rows, and for those that move no data, such as a compaction. Reads the times of the commit's
    own files if they are far apart. Raises ObjectNotFound for a version that is not there, TransientError.
    """
    note = table.note(version)
    if note is None or note.event_time_min is None or note.event_time_max is None:
        return []
    whole = [(note.event_time_min, note.event_time_max)]
    if note.event_time_max - note.event_time_min <= gap:
        return whole
    spans: list[tuple[datetime, datetime]] = []
    try:
        for time in _times(table, version):
            if spans and time - spans[-1][1] <= gap:
                spans[-1] = (spans[-1][0], time)
            else:
                spans.append((time, time))
    except ObjectNotFound:  # merged and deleted long ago
        return whole
    return spans


def _times(table: LakeTable, version: int) -> list[datetime]:
    """Distinct, rising."""
    found: set[datetime] = set()
    for action in table.log_entry(version):
        if "add" in action:
            with table.open_file(action["add"]["path"]) as file:
                found.update(pc.unique(pq.read_table(file, columns=["event_time"]).column("event_time")).to_pylist())
    return sorted(found)
