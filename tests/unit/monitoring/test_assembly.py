"""Sketches of partitions become one window; whatever is repeated or restarted, and corrected by what came late."""

from datetime import timedelta

import msgspec
import numpy as np
import pytest
from tests.unit.monitoring.teller import DIGEST, PROFILE, PROJECT, Teller, of_rows, sketch
from tests.unit.monitoring.traffic import START, make_rows, window

from driftloop.contracts.events import WindowSketched
from driftloop.contracts.values import PartitionSketch, Window
from driftloop.monitoring.assembly import COUNTED_WINDOWS
from driftloop.monitoring.drift import drift_reports, worst
from driftloop.monitoring.partition_fold import KEPT_CLOSED_WINDOWS
from driftloop.statistics.distances import STATISTICS


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


def test_every_window_that_a_partition_still_corrects_can_be_corrected(teller):
    assert COUNTED_WINDOWS > KEPT_CLOSED_WINDOWS
    last = COUNTED_WINDOWS + KEPT_CLOSED_WINDOWS
    for i in range(last + 1):
        teller.tell(sketch(0, i, offset=i, rows=5), sketch(1, i, offset=i, rows=5))
    for i in range(last - KEPT_CLOSED_WINDOWS, last + 1):
        assert [(r.window, r.revision) for r in teller.tell(sketch(0, i, offset=99, rows=6))] == [(window(i), 1)]


def test_a_shift_is_a_drift_and_the_same_distribution_is_none():
    same = make_rows(PROJECT, [START] * 3000, seed=1)
    moved = same.set_column(same.schema.get_field_index("amount"), same.schema.field("amount"), [shifted(same)])
    [calm] = Teller().tell(of_rows(same))
    [alarmed] = Teller().tell(of_rows(moved))
    assert not calm.drifted
    assert alarmed.drifted
    assert [name for name, drift in alarmed.features.items() if drift.drifted] == ["amount"]
    assert alarmed.features["amount"].ks > 0.5
    assert worst(alarmed) == ("amount", "psi", max(d.psi for d in alarmed.features.values()), 0.25)
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


def shifted(rows, by: float = 6):
    return np.nan_to_num(rows.column("amount").to_numpy(), nan=10.0) + by


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


def test_partitions_that_are_added_are_waited_for_and_correct_what_was_reported_without_them(teller):
    teller.tell(sketch(0), sketch(1))
    [corrected] = teller.tell(sketch(2, rows=30, partitions=3))
    assert (corrected.window, corrected.revision, corrected.rows) == (window(0), 1, 230)
    assert teller.tell(sketch(0, 1, partitions=3), sketch(1, 1, partitions=3)) == []
    [report] = teller.tell(sketch(2, 1, partitions=3))
    assert (report.window, report.rows) == (window(1), 300)
