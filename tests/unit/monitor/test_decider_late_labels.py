"""Labels that land after their window: counted once, and their window is judged on."""

import pyarrow as pa
import pytest
from tests.unit.monitor.decider_bench import PROJECT, Bench, FakeLake
from tests.unit.monitoring.traffic import START, window

from driftloop.contracts.events import TrainingFailed
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.contracts.values import Window
from driftloop.errors import TransientError
from driftloop.lake.join import JoinCounts


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
