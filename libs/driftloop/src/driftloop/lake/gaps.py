"""Going on after a gap: a commit that says which offsets are missing, why, and who takes that upon themselves.

The commit is the record. It moves the cursor over the missing offsets if the table waits for one of them; a writer that is at
work is fenced by that, and starts again from the table. An object of its own (``contracts.gaps.gap_key``) repeats the record
for services that do not read the lake; it comes after the commit, and asking again puts what is lacking.

Messages of ``inferences`` may be missing to one reader only: the lake had them before they expired, the monitor did not. Such a
record is made as it is asked for, and moves no cursor.
"""

from collections.abc import Sequence

import msgspec

from driftloop.contracts import topics
from driftloop.contracts.gaps import AcceptedGap, gap_key
from driftloop.crashpoints import crash_point
from driftloop.errors import UserError
from driftloop.lake.commit import Flush, commit
from driftloop.lake.cursors import Move, app_id, request_app_id
from driftloop.lake.table import LakeTable
from driftloop.ports import ObjectStore


def accepted_gaps(table: LakeTable) -> Sequence[AcceptedGap]:
    """All that were put on record for the table's topic, and for the requests of an inferences table, in the order in which
    they were. Raises TransientError."""
    return table.state().gaps


def accept_gap(table: LakeTable, store: ObjectStore, gap: AcceptedGap) -> AcceptedGap:
    """Put a gap on record; the record, which for requests and labels begins where the table's offsets end when that is within the gap.

    Raises UserError when the table has all of these requests or labels, CursorsMoved when ingest came first: look again and
    repeat; TransientError: repeat, the record is made once.
    """
    table.refresh()
    known = next((g for g in table.state().gaps if _same(g, gap)), None)
    if known is None:
        known = _record(table, store, gap)
    crash_point("gap.after-commit")
    store.put(gap_key(table.stream, known), msgspec.json.encode(known, order="deterministic"))
    return known


def _record(table: LakeTable, store: ObjectStore, gap: AcceptedGap) -> AcceptedGap:
    own = gap.topic == f"{table.stream}.{table.table}"
    name = (app_id if own else request_app_id)(gap.topic_id, gap.partition)
    at = table.cursor(name)
    missing = gap
    if at is not None and at > gap.start and gap.topic != topics.inferences(table.stream):
        if at >= gap.end:
            raise UserError(f"nothing is missing there: {table.root} has {gap.topic}-{gap.partition} up to offset {at}")
        missing = msgspec.structs.replace(gap, start=at)
    start = gap.start if at is None else at
    end = gap.end if gap.start <= start < gap.end else start  # over it, or where it stands
    move = Move(cursor=name, topic=gap.topic, topic_id=gap.topic_id, partition=gap.partition, start=start, end=end, first=at is None)
    commit(table, store, Flush(moves=(move,), gaps=(missing,)))
    return missing


def _same(known: AcceptedGap, asked: AcceptedGap) -> bool:
    """Whether a record covers what is asked for, but for what the table had of it."""
    return (known.topic_id, known.partition, known.end) == (asked.topic_id, asked.partition, asked.end) and known.start >= asked.start
