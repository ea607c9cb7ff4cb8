"""Performance reports of windows: corrected as labels land, by revision, also of windows that were forgotten."""

import msgspec
from tests.unit.monitor.decider_bench import PROJECT, Bench, complete
from tests.unit.monitoring.traffic import window

from driftloop.contracts.topics import PERFORMANCE_REPORTS
from driftloop.contracts.values import Window


def test_labels_that_land_later_correct_the_report_of_their_window_only(bench):
    bench.step(0, 1)
    before = len(bench.events(PERFORMANCE_REPORTS))
    bench.lake.labelled = 110
    bench.lake.ranges = [(window(1).start, window(1).start)]
    bench.step(0, 1)
    corrected = bench.events(PERFORMANCE_REPORTS)[before:]
    assert [(r.window, r.version, r.revision, r.labelled) for r in corrected] == [(window(1), None, 1, 110), (window(1), 1, 1, 110)]


def test_labels_without_an_inference_are_told_and_correct_the_report_when_there_are_more(bench):
    bench.step(0)
    bench.lake.lone, bench.lake.ranges = 7, [(window(0).start, window(0).start)]
    bench.step(0)
    bench.step(0)
    told = [r for r in bench.events(PERFORMANCE_REPORTS) if r.version is None]
    assert [(r.revision, r.labelled, r.labels_without_inference) for r in told] == [(0, 100, 0), (1, 100, 7)]
    assert all(r.labels_without_inference is msgspec.UNSET for r in bench.events(PERFORMANCE_REPORTS) if r.version is not None)


def test_a_correction_after_the_reports_were_forgotten_goes_on_counting_revisions(bench):
    """Performance reports are kept for a month, and so many of them in memory; a label may land later."""
    bench.step(0)
    bench.lake.labelled, bench.lake.ranges = 110, [(window(0).start, window(0).start)]
    bench.step(0)
    bench.forget(PERFORMANCE_REPORTS)
    bench.restart()
    bench.lake.labelled = 118
    bench.step(0)
    assert [(r.revision, r.labelled) for r in bench.events(PERFORMANCE_REPORTS) if r.version is None] == [(0, 100), (1, 110), (2, 118)]
    assert len(set(bench.ids(PERFORMANCE_REPORTS))) == len(bench.events(PERFORMANCE_REPORTS)) == 6


def test_a_report_that_somebody_made_up_under_the_highest_number_does_not_end_the_corrections(bench):
    bench.step(0)
    forged = msgspec.structs.replace(bench.events(PERFORMANCE_REPORTS)[0], revision=2**63 - 1, labelled=1)
    bench.publisher.publish(PERFORMANCE_REPORTS, forged, key=PROJECT.model, id="forged")
    bench.lake.labelled, bench.lake.ranges = 110, [(window(0).start, window(0).start)]
    bench.step(0)
    corrected = [r for r in bench.events(PERFORMANCE_REPORTS) if r.version is None][-1]
    assert (corrected.revision, corrected.labelled) == (2**63 - 1, 110)


def test_windows_whose_reports_were_forgotten_are_not_reported_again_after_a_restart(bench):
    bench.step(0, 1)
    before = bench.events(PERFORMANCE_REPORTS)
    bench.forget(PERFORMANCE_REPORTS)
    bench.restart()
    bench.step(0, 1)
    assert bench.events(PERFORMANCE_REPORTS) == before


def test_windows_of_an_earlier_release_learn_their_revision_from_the_topic(bench):
    bench.step(0)
    bench.table.clear()  # it remembered no performance reports
    bench.restart()
    bench.step(0)
    bench.forget(PERFORMANCE_REPORTS)
    bench.restart()
    bench.lake.labelled = 118
    bench.step(0)
    assert [r.revision for r in bench.events(PERFORMANCE_REPORTS) if r.version is None] == [0, 1]


def test_reports_that_say_different_things_have_different_ids_even_under_one_revision(bench):
    """As of two workers, one of which has lost everything that it knew."""
    bench.step(0)
    other = Bench()
    other.lake.labelled = 118
    other.step(0)
    assert not set(bench.ids(PERFORMANCE_REPORTS)) & set(other.ids(PERFORMANCE_REPORTS))


def test_the_decider_remembers_no_more_windows_than_a_bound(bench, monkeypatch):
    monkeypatch.setattr("driftloop_monitor.decider.MAX_KNOWN", 5)
    for i in range(30):
        bench.step(*range(max(0, i - 4), i + 1))
    assert len(bench.decider._known) == 5
    assert not bench.decider._dirty
    bench.lake.ranges = []
    published = len(bench.events(PERFORMANCE_REPORTS))
    bench.step(*range(25, 30))
    assert len(bench.events(PERFORMANCE_REPORTS)) == published


def test_each_window_is_measured_in_its_turn_however_many_change_all_the_time(bench):
    for _ in range(3):
        bench.step(*range(30))
    told = len(bench.events(PERFORMANCE_REPORTS))
    bench.lake.labelled = 110
    for _ in range(3):  # ten windows at a time, and each commit has labels of all
        bench.lake.ranges = [(window(0).start, window(29).start)]
        bench.step(*range(30))
    assert sorted(reported_windows(bench, told), key=lambda w: w.start) == [window(i) for i in range(30)]


def test_windows_whose_rows_are_on_their_way_do_not_hold_up_the_corrections_of_others(bench):
    bench.step(0)
    told = len(bench.events(PERFORMANCE_REPORTS))
    bench.lake.holds = lambda closing_offsets, topic_ids: closing_offsets == {"0": 4}  # those of ``complete`` are not there
    bench.step(*range(12))
    bench.assembler.windows[window(0)].summary = msgspec.structs.replace(complete(0).summary, closing_offsets={"0": 4})
    bench.lake.labelled, bench.lake.ranges = 110, [(window(0).start, window(0).start)]
    bench.step(*range(12))
    assert reported_windows(bench, told) == [window(0)]


def reported_windows(bench: Bench, since: int = 0) -> list[Window]:
    return [report.window for report in bench.events(PERFORMANCE_REPORTS)[since:] if report.version is None]


def forgetting(bench: Bench, *, start: int, end: int) -> None:
    bench.assembler.cursor.forgotten = (window(start).start, window(end - 1).end, 3600.0)


def test_labels_that_land_after_their_window_was_forgotten_are_reported_all_the_same(bench):
    bench.lake.labelled = 10
    bench.step(0, 1, 2)
    bench.forget(PERFORMANCE_REPORTS)
    bench.restart()
    forgetting(bench, start=0, end=2)
    del bench.assembler.windows[window(0)], bench.assembler.windows[window(1)]
    told = len(bench.events(PERFORMANCE_REPORTS))
    bench.lake.labelled, bench.lake.versions = 90, (7, 9)
    bench.lake.ranges = [(window(0).start, window(1).start)]
    bench.step(2)
    late = [r for r in bench.events(PERFORMANCE_REPORTS)[told:] if r.version is None and r.window != window(2)]
    assert [(report.window, report.labelled, report.revision) for report in late] == [(window(0), 90, 16), (window(1), 90, 16)]
    assert len(set(bench.ids(PERFORMANCE_REPORTS))) == len(bench.ids(PERFORMANCE_REPORTS))
    told = len(bench.events(PERFORMANCE_REPORTS))
    bench.lake.ranges = [(window(0).start, window(0).start)]
    bench.step(2)
    assert reported_windows(bench, told) == []  # nothing is new
    bench.lake.labelled = 95
    bench.lake.ranges = [(window(0).start, window(0).start)]
    bench.step(2)
    assert [(r.window, r.revision) for r in bench.events(PERFORMANCE_REPORTS)[told:] if r.version is None] == [(window(0), 17)]


def test_many_forgotten_windows_are_reported_a_few_at_a_time_and_the_lake_is_seen_when_all_are(bench):
    forgetting(bench, start=-25, end=0)
    bench.lake.ranges = [(window(-30).start, window(-1).start)]
    counts = []
    for _ in range(3):
        before = len(bench.events(PERFORMANCE_REPORTS))
        bench.step(0)
        counts.append(len([w for w in reported_windows(bench, before) if w.start < window(0).start]))
        assert bool(bench.decider.lake_seen) == (sum(counts) == 25)
    assert counts == [10, 10, 5]


def test_a_start_asks_the_lake_for_what_came_since_forgotten_windows_were_looked_at_last(bench):
    bench.assembler.cursor.lake_seen = {"labels": 5}
    bench.step(0)
    assert bench.lake.since == [{"labels": 5}]
