"""What an assembler's table holds: enough to go on from, no more than is bounded, and what earlier releases stored."""

import msgspec
import pytest
from tests.unit.monitoring.teller import PROJECT, SKETCHES_ID, Teller, sketch
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import WindowSketched
from driftloop.monitoring.assembly import COUNTED_WINDOWS, REMEMBERED_WINDOWS, WindowAssembler, stored_offset


def test_an_assembler_goes_on_from_its_table_as_if_nothing_had_happened(teller):
    straight, sketches = Teller(), [sketch(p, i, offset=10 + i) for i in range(4) for p in (0, 1)]
    expected = straight.tell(*sketches)
    found = []
    for one in sketches:
        found += teller.tell(one)
        teller.restart()
    assert found == expected
    assert [h.summary for h in teller.assembler.complete()] == [h.summary for h in straight.assembler.complete()]


def test_old_windows_keep_their_summary_but_not_their_counts(teller):
    for i in range(COUNTED_WINDOWS + 2):
        teller.tell(sketch(0, i, offset=i), sketch(1, i, offset=i))
    held = teller.assembler.complete()
    assert len(held) == COUNTED_WINDOWS + 2
    assert [bool(h.by_partition) for h in held] == [False] * 2 + [True] * COUNTED_WINDOWS
    assert teller.tell(sketch(0, 0, offset=99, rows=150)) == []  # too old to be corrected


def test_counts_of_a_window_that_the_table_does_not_have_are_none(teller):
    """What was too large to be stored is not there."""
    teller.tell(sketch(0, 0), sketch(0, 1))
    del teller.table[next(key for key in teller.table if key.startswith(window(1).start.isoformat().encode()) and b"/counts/" not in key)]
    teller.restart()
    assert list(teller.assembler.windows) == [window(0)]
    assert [report.window for report in teller.tell(sketch(0, 1, offset=11), sketch(1, 1))] == [window(0), window(1)]


def test_the_table_stays_bounded(teller, monkeypatch):
    monkeypatch.setattr("driftloop.monitoring.assembly.REMEMBERED_WINDOWS", 10)
    teller.assembler.decided_up_to = window(15).end
    for i in range(15):
        teller.tell(sketch(0, i, offset=i, rows=1), sketch(1, i, offset=i, rows=1))
    assert len(teller.table) == 10 + 2 * COUNTED_WINDOWS + 2 + 1  # windows, counts by partition, what each has closed, the cursor
    teller.restart()
    assert teller.tell(sketch(0, 0, offset=99), sketch(1, 0, offset=99)) == []  # forgotten, not new
    assert REMEMBERED_WINDOWS > 10


def test_a_window_that_waits_for_its_decision_is_remembered_however_many_came_after_it(teller, monkeypatch):
    monkeypatch.setattr("driftloop.monitoring.assembly.REMEMBERED_WINDOWS", 10)
    teller.assembler.decided_up_to = window(1).end
    for i in range(30):
        teller.tell(sketch(0, i, offset=i, rows=1), sketch(1, i, offset=i, rows=1))
    assert [held.window for held in teller.assembler.complete()] == [window(i) for i in range(2, 30)]
    teller.restart()  # nobody has said what is decided
    teller.tell(sketch(0, 30, offset=30, rows=1), sketch(1, 30, offset=30, rows=1))
    assert len(teller.assembler.complete()) == 29
    teller.assembler.decided_up_to = window(25).end
    teller.tell(sketch(0, 31, offset=31, rows=1), sketch(1, 31, offset=31, rows=1))
    assert [held.window for held in teller.assembler.complete()] == [window(i) for i in range(22, 32)]
    assert teller.assembler.forgotten_undecided == 0


def test_also_windows_that_wait_are_forgotten_in_the_end_and_counted(teller, monkeypatch):
    monkeypatch.setattr("driftloop.monitoring.assembly.REMEMBERED_WINDOWS", 10)
    monkeypatch.setattr("driftloop.monitoring.assembly.UNDECIDED_WINDOWS", 20)
    for i in range(30):
        teller.tell(sketch(0, i, offset=i, rows=1), sketch(1, i, offset=i, rows=1))
    assert [held.window for held in teller.assembler.complete()] == [window(i) for i in range(10, 30)]
    assert teller.assembler.forgotten_undecided == 10


def as_earlier_releases_stored(teller: Teller, key: str) -> dict[bytes, bytes]:
    """One value for a window with the counts of all partitions, one for the cursor with what each has closed."""
    [held] = teller.assembler.windows.values()
    cursor = teller.assembler.cursor
    return {
        key.format(held.window.start, held.window.end).encode(): msgspec.msgpack.encode(
            {"window": held.window, "revision": held.revision, "summary": held.summary}
            | {"sketches": {p: msgspec.msgpack.decode(c.packed, type=WindowSketched) for p, c in held.by_partition.items()}}
        ),
        b"cursor": msgspec.msgpack.encode(cursor),
    }


@pytest.mark.parametrize("key", ["{0:%Y-%m-%dT%H:%M:%S+00:00}", "{0:%Y-%m-%dT%H:%M:%S+00:00}/{1:%Y-%m-%dT%H:%M:%S+00:00}"])
def test_what_an_earlier_release_stored_in_one_value_is_read_and_stored_apart(teller, key):
    teller.tell(sketch(0), sketch(1))
    apart = set(teller.table)
    teller.table = as_earlier_releases_stored(teller, key)
    teller.restart()
    assert teller.assembler.cursor.closed == {0: window(0).end, 1: window(0).end}
    [correction] = teller.tell(sketch(0, offset=12, rows=103, late=3))
    assert (correction.revision, correction.rows) == (1, 203)
    assert set(teller.table) == apart
    teller.restart()
    assert [held.revision for held in teller.assembler.complete()] == [1]
    assert teller.assembler.cursor.closed == {0: window(0).end, 1: window(0).end}
    assert sorted(teller.assembler.windows[window(0)].by_partition) == [0, 1]


def test_a_sketch_writes_its_own_counts_and_nothing_that_grows_with_partitions_or_windows(teller):
    partitions = 30
    for i in range(5):
        teller.tell(*(sketch(p, i, partitions=partitions, rows=20) for p in range(partitions)))
    last = teller.offset
    teller.tell(sketch(0, 5, partitions=partitions, rows=20))
    assert teller.offset == last + 1
    teller.assembler.add(sketch(1, 5, partitions=partitions, rows=20))
    written = teller.assembler.changes(last + 2)
    alone = Teller()
    alone.assembler.add(sketch(1, 0, partitions=2, rows=20))
    small = alone.assembler.changes(1)
    assert sum(map(len, written.values())) <= sum(map(len, small.values())) + 20  # the offsets' digits


def test_counts_are_held_as_the_bytes_that_the_table_stores(teller):
    """As objects they take eight times as much, for each of hundreds of partitions and some windows of each."""
    teller.tell(sketch(0), sketch(1))
    stored = [value for key, value in teller.table.items() if b"/counts/" in key]
    held = [counts.packed for counts in teller.assembler.windows[window(0)].by_partition.values()]
    assert len(held) == 2
    assert all(any(one is value for value in stored) for one in held)
    teller.restart()
    assert all(any(c.packed is value for value in stored) for c in teller.assembler.windows[window(0)].by_partition.values())
    assert [list(c.sketches) for c in teller.assembler.windows[window(0)].by_partition.values()] == [
        list(sketch(p).sketches) for p in (0, 1)
    ]


def test_a_window_that_an_earlier_release_stored_is_read_and_stored_alike():
    stored = (
        b"\x84\xa6window\x82\xa5start\xd6\xffiU\xb9\x00\xa3end\xd6\xffiU\xc7\x10\xa8sketches\x80\xa8revision\x00\xa7summary\x87"
        b"\xa7version\x01\xa4rows\x05\xa7drifted\xc3\xa6column\xa6amount\xa3psi\xcb@\x17p\xf4\xe5\x83\xa9\xca\xa9threshold"
        b"\xcb?\xd0\x00\x00\x00\x00\x00\x00\xafclosing_offsets\x82\xa10\n\xa11\n"
    )
    [held] = WindowAssembler(PROJECT.stream, {b"2026-01-01T00:00:00+00:00": stored}, SKETCHES_ID).complete()
    assert held.summary is not None
    assert (held.summary.column, held.summary.value, held.summary.threshold) == ("amount", pytest.approx(5.8603092), 0.25)
    assert held.encode() == stored


def test_when_window_sketches_is_made_anew_it_is_read_from_its_beginning_and_the_windows_stay(teller):
    teller.tell(sketch(0), sketch(1), sketch(0, 1))
    assert stored_offset(teller.table, SKETCHES_ID) == 3
    assert stored_offset(teller.table, "another") is None
    teller.restart("another")
    assert teller.assembler.cursor.next_offset == 0
    assert [held.window for held in teller.assembler.complete()] == [window(0)]
    [report] = teller.tell(sketch(1, 1))
    assert report.window == window(1)
