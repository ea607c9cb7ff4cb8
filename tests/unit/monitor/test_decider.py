"""From a complete window to its report and its one decision: in order, once, and only when lake and labels have caught up."""

import sys
from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.monitoring.traffic import START, make_project, window

from driftloop.adapters.kafka import Publisher
from driftloop.adapters.memory import FixedClock, MemoryBroker
from driftloop.contracts.codec import caused_id, decode_event
from driftloop.contracts.events import DecisionMade, TrainingFailed
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.contracts.values import Window
from driftloop.errors import TransientError
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import ModelHistory
from driftloop.lake.join import JoinCounts
from driftloop.monitoring.assembled_window import AssembledWindow, WindowSummary
from driftloop.monitoring.assembly import WindowAssembler, decided_up_to
from driftloop_monitor.decider import Decider
from driftloop_monitor.history import KEEP, TOPICS

PROJECT = make_project(min_new_labels=50)


class FakeLake:
    """A lake whose rows and promises a test sets."""

    versions = (1, 1)

    def __init__(self) -> None:
        self.held, self.known, self.labelled, self.ranges = True, True, 100, []
        self.lone = 0  # labels without an inference
        self.since, self.seen = [], {}

    def refresh(self) -> bool:
        return True

    def changed(self, since):
        self.since.append(dict(since))
        ranges, self.ranges, self.seen = self.ranges, [], {"labels": self.versions[1]}
        return ranges

    def holds(self, closing_offsets: dict[str, int], topic_ids: dict[str, str]) -> bool:
        return self.held

    def labels_known(self, window: Window) -> bool:
        return self.known

    def rows(self, window: Window, counts: JoinCounts) -> pa.Table:
        counts.labels, counts.joined = self.labelled + self.lone, self.labelled
        rng, n = np.random.default_rng(0), 120
        unknown = np.arange(n) >= self.labelled
        return pa.table(
            {
                "event_time": pa.array([window.start] * n, pa.timestamp("us", tz="UTC")),
                "prediction": pa.array(rng.random(n) < 0.5),
                "score": pa.array(rng.random(n)),
                "model_version": pa.array([1] * n),
                "label": pa.array(rng.random(n) < 0.5, mask=unknown),
                "label_time": pa.array([window.start + timedelta(minutes=5)] * n, pa.timestamp("us", tz="UTC"), mask=unknown),
            }
        )


class FailingPublisher(Publisher):
    """Refuses one topic, as a process that dies before it would have published there."""

    refused: str | None = None

    def publish(self, topic, event, **about):
        if topic == self.refused:
            raise TransientError("killed")
        super().publish(topic, event, **about)


class Bench:
    """A decider over memory."""

    def __init__(self) -> None:
        self.broker, self.lake = MemoryBroker(), FakeLake()
        self.table: dict[bytes, bytes] = {}
        for topic in CONTROL_TOPICS:
            self.broker.create_topic(topic.name, topic.partitions)
        self.restart()

    def restart(self) -> None:
        self.assembler = WindowAssembler(PROJECT.stream, self.table, "of window-sketches")
        history = ModelHistory(PROJECT.model, KEEP)
        self.publisher = FailingPublisher(self.broker.producer(), source="driftloop/test")
        reader = LogReader(self.broker, TOPICS, Events(history))
        self.decider = Decider(PROJECT, self.lake, history, self.publisher, FixedClock(START), reader.sync)

    def step(self, *windows: int) -> None:
        """As the wiring does: what was told is remembered by the windows, whatever becomes of the topics."""
        for i in windows:
            self.assembler.windows.setdefault(window(i), complete(i))
        cursor = self.assembler.cursor
        self.decider.step([self.assembler.windows[window(i)] for i in windows], self.assembler.forgotten, cursor.lake_seen)
        for report in self.decider.take_told():
            self.assembler.measured(report)
        self.table.update(self.assembler.changes(0))

    def forget(self, topic: str) -> None:
        """As its retention does; the records are still there for ``events``."""
        for tp in self.broker.partitions(topic):
            self.broker.expire(tp, before=sum(record.partition == tp.partition for record in self.broker.records(topic)))

    def events(self, topic: str):
        return [decode_event(r.value, r.headers)[0] for r in self.broker.records(topic)]

    def ids(self, topic: str):
        return [decode_event(r.value, r.headers)[1].id for r in self.broker.records(topic)]


def complete(i: int, version: int | None = 1) -> AssembledWindow:
    summary = WindowSummary(version=version, rows=120, drifted=False, column="amount", value=0.1, threshold=0.25, closing_offsets={"0": 5})
    return AssembledWindow(window(i), revision=0, summary=summary)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_settled_window_is_measured_decided_and_requested_once(bench):
    for _ in range(3):
        bench.step(0)
    [decision], [request] = bench.events(DECISIONS), bench.events(RETRAIN_REQUESTS)
    assert decision.accepted
    assert decision.window == request.window == window(0)
    assert bench.ids(DECISIONS) == [caused_id("decision", "retrain", PROJECT.model, window(0).start, window(0).end)]
    assert bench.ids(RETRAIN_REQUESTS) == [decision.request_id] == [caused_id("retrain", PROJECT.model, window(0).start, window(0).end)]
    together, by_version = bench.events(PERFORMANCE_REPORTS)
    assert (together.version, by_version.version, by_version.labelled, by_version.median_label_delay_seconds) == (None, 1, 100, 300.0)
    assert together.coverage == pytest.approx(100 / 120)


@pytest.mark.parametrize("missing", ["held", "known"])
def test_a_decision_waits_for_the_lake_and_for_the_labels(bench, missing):
    setattr(bench.lake, missing, False)
    bench.step(0)
    assert bench.events(DECISIONS) == []
    setattr(bench.lake, missing, True)
    bench.step(0)
    assert len(bench.events(DECISIONS)) == 1


def test_windows_are_decided_in_order_and_a_run_in_flight_holds_the_second(bench):
    bench.step(0, 1)
    first, second = bench.events(DECISIONS)
    assert (first.window, first.accepted) == (window(0), True)
    assert (second.window, second.accepted) == (window(1), False)
    assert second.reason.startswith(f"run {first.request_id} is in flight")


def test_the_end_of_a_run_frees_the_next_attempt(bench):
    bench.step(0)
    request_id = bench.events(DECISIONS)[0].request_id
    failed = TrainingFailed(model=PROJECT.model, request_id=request_id, answers=(request_id,), reason="t")
    bench.publisher.publish(TRAINING_RUNS, failed, key=PROJECT.model, id="f")
    bench.step(0, 1)
    assert [d.accepted for d in bench.events(DECISIONS)] == [True, True]


def test_a_restarted_decider_decides_nothing_again(bench):
    bench.step(0)
    bench.restart()
    bench.step(0)
    assert len(bench.events(DECISIONS)) == len(bench.events(RETRAIN_REQUESTS)) == 1
    assert len(bench.events(PERFORMANCE_REPORTS)) == 2


def test_a_request_that_a_crash_kept_back_is_published_after_the_restart_with_the_same_id(bench):
    bench.publisher.refused = RETRAIN_REQUESTS
    with pytest.raises(TransientError):
        bench.step(0)
    assert bench.events(RETRAIN_REQUESTS) == []
    bench.restart()
    bench.step(0)
    [decision] = bench.events(DECISIONS)
    assert bench.ids(RETRAIN_REQUESTS) == [decision.request_id]


def test_the_first_decision_in_the_log_stands_whatever_a_twin_would_have_said(bench):
    no = DecisionMade(
        model=PROJECT.model, kind="retrain", accepted=False, reason="t", window=window(0), rule="0" * 64, evidence=evidence_of(bench)
    )
    bench.publisher.publish(
        DECISIONS, no, key=PROJECT.model, id=caused_id("decision", "retrain", PROJECT.model, window(0).start, window(0).end)
    )
    bench.step(0)
    assert bench.events(DECISIONS) == [no]
    assert bench.events(RETRAIN_REQUESTS) == []


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


def test_two_windows_that_share_a_start_have_a_report_and_a_decision_each(bench):
    bench.step(0)
    held = complete(0)
    day = Window(start=window(0).start, end=window(0).start + timedelta(days=1))
    for _ in range(3):
        bench.decider.step([held, AssembledWindow(day, revision=0, summary=held.summary)])
    assert [d.window for d in bench.events(DECISIONS)] == [window(0), day]
    assert [r.window for r in bench.events(PERFORMANCE_REPORTS) if r.version is None] == [window(0), day]
    for topic in (DECISIONS, PERFORMANCE_REPORTS):
        assert len(set(bench.ids(topic))) == len(bench.ids(topic))


def test_a_window_that_was_decided_under_another_id_is_not_decided_again(bench):
    """Ids of earlier releases did not name the window's end."""
    no = DecisionMade(
        model=PROJECT.model, kind="retrain", accepted=False, reason="t", window=window(0), rule="0" * 64, evidence=evidence_of(bench)
    )
    bench.publisher.publish(DECISIONS, no, key=PROJECT.model, id=caused_id("decision", "retrain", PROJECT.model, window(0).start))
    bench.step(0)
    assert bench.events(DECISIONS) == [no]


class DelayedLabels(FakeLake):
    """All labels of a window land ``delay`` windows after it has closed; ``closed`` windows are over."""

    def __init__(self, delay: int) -> None:
        super().__init__()
        self.delay, self.closed = delay, 0

    def rows(self, window: Window, counts: JoinCounts) -> pa.Table:
        number = int((window.start - START) / (window.end - window.start))
        self.labelled = 100 if number + self.delay < self.closed else 0
        return super().rows(window, counts)


def run_windows(bench: Bench, n: int) -> None:
    """Each closes and is decided; then the labels land that are due, and the run that was requested ends."""
    for k in range(n):
        bench.lake.closed = k + 1
        bench.step(*range(k + 1))
        bench.lake.ranges = [(window(0).start, window(k).start)]
        for request_id in bench.ids(RETRAIN_REQUESTS):
            failed = TrainingFailed(model=PROJECT.model, request_id=request_id, answers=(request_id,), reason="t")
            bench.publisher.publish(TRAINING_RUNS, failed, key=PROJECT.model, id=f"end of {request_id}")


def test_labels_that_land_two_windows_later_are_counted_when_they_land_and_their_window_is_judged_on(bench):
    bench.lake = DelayedLabels(delay=2)
    bench.restart()
    run_windows(bench, 8)
    decisions, requests = bench.events(DECISIONS), bench.events(RETRAIN_REQUESTS)
    assert [d.accepted for d in decisions] == [False, False, True, True, True, True, True, True]
    assert [d.evidence["labels_landed_since"] for d in decisions] == [0, 0, 100, 100, 100, 100, 100, 100]
    assert [(d.window, r.window) for d, r in zip(decisions[2:], requests, strict=True)] == [(window(k), window(k - 2)) for k in range(2, 8)]


def test_labels_that_land_with_their_window_are_decided_and_judged_on_with_it(bench):
    bench.lake = DelayedLabels(delay=0)
    bench.restart()
    run_windows(bench, 4)
    decisions = bench.events(DECISIONS)
    assert [(d.evidence["labelled"], d.evidence["labels_landed_since"], d.evidence["late"]) for d in decisions] == [(100, 0, [])] * 4
    assert [r.window for r in bench.events(RETRAIN_REQUESTS)] == [window(k) for k in range(4)]


def test_late_labels_are_counted_once_whatever_restarts(bench):
    bench.lake = DelayedLabels(delay=2)
    bench.restart()
    run_windows(bench, 4)
    bench.restart()
    bench.step(*range(4))
    run_windows(bench, 5)
    counted = sum(d.evidence["labelled"] + d.evidence["labels_landed_since"] for d in bench.events(DECISIONS))
    landed = {r.window: r.labelled for r in bench.events(PERFORMANCE_REPORTS) if r.version is None}
    assert counted == sum(landed.values()) == 300


def test_a_request_that_a_crash_kept_back_names_the_same_window_after_the_restart(bench):
    bench.lake = DelayedLabels(delay=2)
    bench.restart()
    run_windows(bench, 2)
    bench.publisher.refused = RETRAIN_REQUESTS
    bench.lake.closed = 3
    with pytest.raises(TransientError):
        bench.step(0, 1, 2)
    bench.restart()
    bench.step(0, 1, 2)
    assert [r.window for r in bench.events(RETRAIN_REQUESTS)] == [window(0)]


def evidence_of(bench: Bench) -> dict:
    other = Bench()
    other.step(0)
    return other.events(DECISIONS)[0].evidence


def forged_decision(i: int, evidence: dict, request_id: str | None = None) -> DecisionMade:
    return DecisionMade(
        model=PROJECT.model,
        kind="retrain",
        accepted=True,
        reason="because I say so",
        window=window(i),
        rule="0" * 64,
        evidence=msgspec.to_builtins(evidence),
        request_id=request_id,
    )


@pytest.mark.parametrize("changes", [{}, {"rows": "many"}, {"window": None}, {"trigger": "because"}, {"window": "other"}])
def test_a_forged_decision_whose_evidence_is_none_neither_stops_the_decider_nor_stands_in_its_way(bench, changes):
    evidence = {"window": window(0), "version": 1, "rows": 1, "labelled": 1, "drifted": False, "metric": "roc_auc", "trigger": "window"}
    if changes.get("window") == "other":
        changes = {"window": window(7)}
    forged = forged_decision(0, evidence | changes if changes else {}, request_id="forged")
    forger = Publisher(bench.broker.producer(), source="forger")
    honest_id = caused_id("decision", "retrain", PROJECT.model, window(0).start, window(0).end)
    forger.publish(DECISIONS, forged, key=PROJECT.model, id=honest_id)
    bench.step(0, 1)
    _, first, second = bench.events(DECISIONS)
    assert (first.window, first.accepted, second.window) == (window(0), True, window(1))
    assert bench.ids(RETRAIN_REQUESTS) == [first.request_id]


def test_a_forged_decision_on_a_window_that_is_yet_to_come_holds_nothing_back(monkeypatch):
    cooling = msgspec.structs.replace(PROJECT, policy=msgspec.structs.replace(PROJECT.policy, cooldown="30m"))
    monkeypatch.setattr(sys.modules[__name__], "PROJECT", cooling)
    bench = Bench()
    evidence = {"window": window(10_000), "version": 1, "rows": 1, "labelled": 1, "drifted": False, "metric": "roc_auc"}
    forged = forged_decision(10_000, evidence)
    Publisher(bench.broker.producer(), source="forger").publish(DECISIONS, forged, key=PROJECT.model, id="forged")
    bench.step(0)
    _, decision = bench.events(DECISIONS)
    assert (decision.window, decision.accepted) == (window(0), True)


def test_it_tells_up_to_where_windows_have_their_decision(bench):
    windows = [complete(i) for i in range(3)]

    def up_to():
        return decided_up_to(windows, [held.window for held in bench.decider.undecided(windows)])

    assert up_to() == window(0).start
    bench.step(0, 1)
    assert up_to() == window(2).start
    bench.step(0, 1, 2)
    assert up_to() == window(2).end
    assert decided_up_to([], []) is None


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
