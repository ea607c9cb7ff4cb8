"""A table after many small commits: what an append costs, and how long opening takes, with upkeep in between."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.lake.commit import Flush, commit, store_files
from driftloop.lake.compaction_plan import CompactionRules
from driftloop.lake.cursors import Move, app_id
from driftloop.lake.maintenance import compact
from driftloop.lake.parquet import encode_file
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import TIME

COMMITS = 20_000
REPORTED = 1_000
UPKEEP_EVERY = 100  # commits; one a minute at the pace of a busy ingest
ROWS = 20
FRESH = 500  # appends to a new table at the end: the machine is not the same after half an hour
START = datetime(2024, 1, 1, tzinfo=UTC)
_SCHEMA = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_time", TIME, nullable=False),
        *(pa.field(f"x{n}", pa.float64()) for n in range(20)),
        pa.field("partition", pa.int32(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
    ]
)


def measure(around: Surroundings) -> list[Figure]:
    """One handle appends; another merges, after every hundred commits, beside the clock."""
    appender = Appender(around, "many-commits")
    keeper = LakeTable.open(around.s3, "many-commits", "inferences")
    appending: list[float] = []
    opening: list[float] = []
    for thousand in range(COMMITS // REPORTED):
        spent = upkeep = 0.0
        for _ in range(REPORTED // UPKEEP_EVERY):
            spent += _seconds(lambda: appender.append(UPKEEP_EVERY))
            upkeep += _seconds(lambda: compact(keeper, around.store, CompactionRules()))
        appending.append(spent / REPORTED)
        opening.append(min(_seconds(lambda: LakeTable.open(around.s3, "many-commits", "inferences").state()) for _ in range(3)))
        around.say(
            f"{(thousand + 1) * REPORTED:,} commits: append {1000 * appending[-1]:.1f} ms, open {1000 * opening[-1]:.0f} ms, "
            f"upkeep {1000 * upkeep / REPORTED:.1f} ms a commit, {len(keeper.files())} files, version {keeper.version:,}"
        )
    ranges = _offset_ranges(appender.table)
    fresh = Appender(around, "few-commits")
    again = _seconds(lambda: fresh.append(FRESH)) / FRESH
    first_opening = _seconds(lambda: LakeTable.open(around.s3, "few-commits", "inferences").state())
    return [
        Figure(
            name="append-late",
            what=f"one append of {ROWS} rows, mean of the last {REPORTED:,} of {COMMITS:,} commits, merged every {UPKEEP_EVERY}",
            value=1000 * appending[-1],
            unit="ms",
            limit=Limit(f"the mean of the first {REPORTED:,}, same handle", 1000 * appending[0]),
            aim=Aim(1.5, "at most", of="ratio"),
            note=f"the first {FRESH} of a new table, right after: {1000 * again:.1f} ms; offset ranges of all {ranges:,} commits read",
        ),
        Figure(
            name="open-late",
            what=f"opening a table of {COMMITS:,} commits and reading its cursors",
            value=1000 * opening[-1],
            unit="ms",
            limit=Limit(f"the same of a table of {FRESH} commits", 1000 * first_opening),
            aim=Aim(1000, "at most"),
            note=f"slowest of the {len(opening)} looks on the way, whatever else the machine did: {1000 * max(opening):.0f} ms",
        ),
    ]


class Appender:
    """A stream with one partition, filled as ingest does it."""

    def __init__(self, around: Surroundings, stream: str) -> None:
        self._store = around.store
        self.table = LakeTable.open(around.s3, stream, "inferences", _SCHEMA)
        self._at = 0

    def append(self, commits: int) -> None:
        for _ in range(commits):
            move = Move(
                cursor=app_id("bench", 0),
                topic="bench",
                topic_id="bench",
                partition=0,
                start=self._at,
                end=self._at + ROWS,
                first=self._at == 0,
            )
            file = encode_file(_rows(self._at), topic_id="bench", partition=0, first_offset=self._at)
            flush = Flush(moves=(move,), files=(file,), watermarks={0: START + timedelta(seconds=self._at)})
            store_files(self._store, self.table, flush)
            commit(self.table, self._store, flush)
            self._at += ROWS


def _rows(at: int) -> pa.Table:
    numbers = range(at, at + ROWS)
    columns = [[f"event-{n}" for n in numbers], [START + timedelta(seconds=n) for n in numbers]]
    columns += [[float(n + x) for n in numbers] for x in range(20)]
    columns += [[0] * ROWS, list(numbers)]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA)


def _offset_ranges(table: LakeTable) -> int:
    """How many commits say their ranges; they follow one another from the first to the last."""
    notes = [note for version in range(1, table.version + 1) if (note := table.note(version)) is not None]
    ends = [0, *(note.moves[0].end for note in notes)]
    assert [note.moves[0].start for note in notes] == ends[:-1]
    return len(notes)


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
