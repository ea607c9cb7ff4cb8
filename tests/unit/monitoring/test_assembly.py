"""Sketches of partitions become one window; whatever is repeated or restarted, and corrected by what came late."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from tests.unit.monitoring.traffic import START, make_profile, make_project, make_rows, window

from driftloop.contracts.events import DriftReported, WindowSketched
from driftloop.contracts.values import PartitionSketch, Window
from driftloop.monitoring.assembly import COUNTED_WINDOWS, REMEMBERED_WINDOWS, WindowAssembler, stored_offset
from driftloop.monitoring.drift import drift_reports, worst
from driftloop.monitoring.partition_fold import KEPT_CLOSED_WINDOWS
from driftloop.statistics.distances import STATISTICS
from driftloop.statistics.histograms import Counter

PROJECT = make_project()
PROFILE = make_profile(PROJECT, seed=1)
DIGEST = "1" * 64
SKETCHES_ID = "of window-sketches"


def sketch(partition: int, i: int = 0, offset: int = 10, rows: int = 100, *, version: int | None = 1, late: int = 0, partitions: int = 2):
    counted = make_rows(PROJECT, [START] * rows, seed=partition, version=version)
    counts = {name: c.tolist() for name, c in Counter(PROFILE).count(counted).items()}
    parts = () if version is None or not rows else (PartitionSketch(version=version, profile=DIGEST, rows=rows, counts=counts),)
    return WindowSketched(
        stream=PROJECT.stream,
        window=window(i),
        partition=partition,
        partitions=partitions,
        closing_offset=offset,
        rows=rows,
        late_rows=late,
        sketches=parts,
    )


class Teller:
    """An assembler that reports as the runner does, and can be put down and taken up again."""

    def __init__(self) -> None:
        self.table: dict[bytes, bytes] = {}
        self.assembler, self.offset = WindowAssembler(PROJECT.stream, {}, SKETCHES_ID), 0

    def tell(self, *sketches: WindowSketched) -> list[DriftReported]:
        made: list[DriftReported] = []
        for one in sketches:
            if self.assembler.add(one):
                for held in list(self.assembler.to_report(one)):
                    reports = drift_reports(PROJECT, held.window, held.revision + 1, held.by_partition, lambda _: (DIGEST, PROFILE))
                    self.assembler.reported(held, reports)
                    made += reports
            self.offset += 1
            for key, value in self.assembler.changes(self.offset).items():
                if value is None:
                    self.table.pop(key, None)
                else:
                    self.table[key] = value
        return made

    def restart(self, topic_id: str = SKETCHES_ID) -> None:
        self.assembler = WindowAssembler(PROJECT.stream, dict(self.table), topic_id)


@pytest.fixture
def teller() -> Teller:
    return Teller()


def test_a_partition_that_somebody_made_up_holds_no_window_up(teller):
    teller.tell(sketch(0), sketch(1))
    assert teller.tell(sketch(999, i=-5, rows=0, partitions=1000)) == []
    teller.restart()
    assert window(1) in [report.window for report in teller.tell(sketch(0, i=1), sketch(1, i=1))]
    assert [report.window for report in teller.tell(sketch(0, i=2), sketch(1, i=2))] == [window(2)]


def test_a_window_is_reported_when_its_last_partition_is_in(teller):
    assert teller.tell(sketch(0)) == []
    [report] = teller.tell(sketch(1, rows=50))
    assert (report.window, report.version, report.rows, report.revision) == (window(0), 1, 150, 0)
    assert report.closing_offsets == {"0": 10, "1": 10}
    assert report.profile == DIGEST


def test_a_report_compares_the_sum_of_the_partitions(teller):
    one = msgspec.structs.replace(sketch(0), partitions=1, rows=200, sketches=doubled(sketch(0)))
    [alone] = Teller().tell(one)
    twin = msgspec.structs.replace(sketch(0), partition=1)
    [together] = teller.tell(sketch(0), twin)
    assert together.features == alone.features
    assert together.score == alone.score


def test_the_same_sketch_again_changes_nothing(teller):
    teller.tell(sketch(0), sketch(1))
    assert teller.tell(sketch(0), sketch(1)) == []


def test_late_rows_raise_the_revision_and_an_older_sketch_does_not(teller):
    teller.tell(sketch(0), sketch(1))
    [correction] = teller.tell(sketch(0, offset=12, rows=103, late=3))
    assert (correction.revision, correction.rows, correction.late_rows) == (1, 203, 3)
    assert teller.tell(sketch(0, offset=11, rows=101, late=1)) == []


def test_a_later_window_of_a_partition_closes_its_earlier_ones_too(teller):
    teller.tell(sketch(0, 0), sketch(0, 1))
    reports = teller.tell(sketch(1, 1))
    assert [(r.window, r.rows) for r in reports] == [(window(0), 100), (window(1), 200)]


def test_a_window_that_no_model_scored_is_reported_without_a_reference(teller):
    [report] = teller.tell(sketch(0, version=None), sketch(1, version=None))
    assert (report.version, report.profile, report.rows, report.drifted, report.features) == (None, None, 200, False, {})


def test_each_version_of_a_window_has_its_report(teller):
    reports = teller.tell(sketch(0, version=1), sketch(1, version=2))
    assert [(r.version, r.rows) for r in reports] == [(1, 100), (2, 100)]


@pytest.mark.parametrize(("of_first", "of_second", "told"), [(150, 50, 1), (50, 150, 2), (100, 100, 2)])
def test_a_window_is_summed_up_by_the_version_that_scored_most_of_it(teller, of_first, of_second, told):
    """Not by the highest number: after a rollback the higher one scored its last rows, and is not the champion."""
    teller.tell(sketch(0, version=1, rows=of_first), sketch(1, version=2, rows=of_second))
    [held] = teller.assembler.complete()
    assert (held.summary.version, held.summary.rows) == (told, 200)


def test_another_streams_sketch_is_passed_over(teller):
    assert not teller.assembler.add(msgspec.structs.replace(sketch(0), stream="other"))


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


def test_every_window_that_a_partition_still_corrects_can_be_corrected(teller):
    assert COUNTED_WINDOWS > KEPT_CLOSED_WINDOWS
    last = COUNTED_WINDOWS + KEPT_CLOSED_WINDOWS
    for i in range(last + 1):
        teller.tell(sketch(0, i, offset=i, rows=5), sketch(1, i, offset=i, rows=5))
    for i in range(last - KEPT_CLOSED_WINDOWS, last + 1):
        assert [(r.window, r.revision) for r in teller.tell(sketch(0, i, offset=99, rows=6))] == [(window(i), 1)]


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


def test_a_shift_is_a_drift_and_the_same_distribution_is_none():
    same = make_rows(PROJECT, [START] * 3000, seed=1)
    moved = same.set_column(same.schema.get_field_index("amount"), same.schema.field("amount"), [shifted(same)])
    [calm] = Teller().tell(of_rows(same))
    [alarmed] = Teller().tell(of_rows(moved))
    assert not calm.drifted
    assert alarmed.drifted
    assert [name for name, drift in alarmed.features.items() if drift.drifted] == ["amount"]
    assert alarmed.features["amount"].ks > 0.5
    assert worst(alarmed) == ("amount", alarmed.features["amount"].psi) == ("amount", max(d.psi for d in alarmed.features.values()))
    assert alarmed.features["amount"].out_of_range_share > 0.02


def test_a_report_carries_every_statistic_and_alarms_on_those_with_a_threshold():
    same = make_rows(PROJECT, [START] * 3000, seed=1)
    little = same.set_column(same.schema.get_field_index("amount"), same.schema.field("amount"), [shifted(same, by=0.6)])
    [calm] = Teller().tell(of_rows(little))
    assert set(calm.features["amount"].statistics) == set(STATISTICS)
    assert not calm.drifted
    assert calm.thresholds == {"psi": 0.25, "ks": 0.2, "missing": 0.1, "unseen": 0.05}
    moved = calm.features["amount"].statistics["js"]
    for threshold, alarmed in ((moved, []), (moved - 1e-9, ["amount"])):
        strict = msgspec.structs.replace(
            PROJECT, monitoring=msgspec.structs.replace(PROJECT.monitoring, thresholds={"psi": 0.25, "ks": 0.2, "js": threshold})
        )
        one = of_rows(little)
        [report] = drift_reports(strict, one.window, 0, {0: one}, lambda _: (DIGEST, PROFILE))
        assert [name for name, drift in report.features.items() if drift.drifted] == alarmed
        assert report.thresholds["js"] == threshold


def test_windows_that_share_a_start_are_never_taken_for_one_another(teller):
    """As an hour and the day that begins with it, after a project has declared days instead of hours."""
    teller.tell(sketch(0), sketch(1))
    day = Window(start=window(0).start, end=window(0).start + timedelta(days=1))
    assert teller.tell(msgspec.structs.replace(sketch(0, offset=500, rows=1000), window=day)) == []
    teller.restart()
    [report] = teller.tell(msgspec.structs.replace(sketch(1, offset=400, rows=900), window=day))
    assert (report.window, report.rows, report.revision, report.closing_offsets) == (day, 1900, 0, {"0": 500, "1": 400})
    assert [(h.window, h.summary.rows) for h in teller.assembler.complete()] == [(window(0), 200), (day, 1900)]


def test_a_sketch_that_is_taken_back_leaves_a_window_of_the_same_start_as_it_was(teller):
    teller.tell(sketch(0), sketch(1))
    day = Window(start=window(0).start, end=window(0).start + timedelta(days=1))
    one = msgspec.structs.replace(sketch(0, offset=500, rows=1000), window=day)
    standing = teller.assembler.standing(one)
    assert (standing.counts, standing.closed, standing.window_is_new) == (None, window(0).end, True)
    teller.assembler.add(one)
    teller.assembler.take_back(one, standing)
    assert [(h.window, sorted(h.by_partition)) for h in teller.assembler.windows.values()] == [(window(0), [0, 1])]
    assert teller.assembler.cursor.closed[0] == window(0).end


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


def shifted(rows, by: float = 6):
    return np.nan_to_num(rows.column("amount").to_numpy(), nan=10.0) + by


def of_rows(rows) -> WindowSketched:
    counts = {name: c.tolist() for name, c in Counter(PROFILE).count(rows).items()}
    part = PartitionSketch(version=1, profile=DIGEST, rows=rows.num_rows, counts=counts)
    return msgspec.structs.replace(sketch(0, rows=0, partitions=1), rows=rows.num_rows, sketches=(part,))


def doubled(one: WindowSketched) -> tuple[PartitionSketch, ...]:
    [part] = one.sketches
    return (msgspec.structs.replace(part, rows=2 * part.rows, counts={name: [2 * c for c in v] for name, v in part.counts.items()}),)


def test_counts_of_inferences_made_anew_replace_older_ones_though_their_offsets_begin_again(teller):
    def of_topic(topic_id: str, **fields: int) -> WindowSketched:
        return msgspec.structs.replace(sketch(1, **fields), topic_id=topic_id)

    teller.tell(sketch(0), of_topic("old", offset=1000, rows=50))
    [corrected] = teller.tell(of_topic("new", offset=7, rows=60))
    assert (corrected.rows, corrected.closing_offsets) == (160, {"0": 10, "1": 7})
    assert teller.tell(of_topic("new", offset=6, rows=1)) == []
    assert teller.assembler.complete()[0].summary.topic_ids == {"1": "new"}


def test_of_counts_that_name_no_topic_the_highest_offset_wins(teller):
    teller.tell(sketch(0), sketch(1, offset=1000))
    assert teller.tell(msgspec.structs.replace(sketch(1, offset=7, rows=1), topic_id="new")) == []


def test_a_partition_that_inferences_had_before_they_were_made_anew_is_not_waited_for(teller):
    teller.tell(*(sketch(partition, partitions=3) for partition in range(3)))
    [report] = [r for partition in range(2) for r in teller.tell(msgspec.structs.replace(sketch(partition, 1), topic_id="new"))]
    assert report.window == window(1)


def test_when_window_sketches_is_made_anew_it_is_read_from_its_beginning_and_the_windows_stay(teller):
    teller.tell(sketch(0), sketch(1), sketch(0, 1))
    assert stored_offset(teller.table, SKETCHES_ID) == 3
    assert stored_offset(teller.table, "another") is None
    teller.restart("another")
    assert teller.assembler.cursor.next_offset == 0
    assert [held.window for held in teller.assembler.complete()] == [window(0)]
    [report] = teller.tell(sketch(1, 1))
    assert report.window == window(1)


def test_partitions_that_are_added_are_waited_for_and_correct_what_was_reported_without_them(teller):
    teller.tell(sketch(0), sketch(1))
    [corrected] = teller.tell(sketch(2, rows=30, partitions=3))
    assert (corrected.window, corrected.revision, corrected.rows) == (window(0), 1, 230)
    assert teller.tell(sketch(0, 1, partitions=3), sketch(1, 1, partitions=3)) == []
    [report] = teller.tell(sketch(2, 1, partitions=3))
    assert (report.window, report.rows) == (window(1), 300)
