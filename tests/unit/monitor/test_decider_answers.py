"""What a window means is in its report and in its decision, and labels that land late change it."""

import msgspec
import pytest
from tests.unit.monitor.decider_bench import Bench, complete
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS
from driftloop.contracts.values import MovedColumn
from driftloop.monitoring.assembled_window import AssembledWindow
from driftloop.monitoring.evidence import Evidence
from driftloop.statistics.profile import HeldOutLoss, Profile

MOVED = (MovedColumn(column="amount", distance=0.4, drifted=True), MovedColumn(column="items", distance=0.3, drifted=True))
GOOD = HeldOutLoss(loss="squared", rows=5000, mean=0.05, deviation=0.1, high=0.9)  # what the lake's rows lose is chance


def known(version: int, held_out: HeldOutLoss | None = GOOD) -> Profile:
    importance = {"amount": 0.001, "items": 0.2}
    return Profile(stream="shop", schema_fingerprint="f", rows=9, columns={}, held_out_loss=held_out, importance=importance)


def drifted(i: int) -> AssembledWindow:
    held = complete(i)
    held.summary = msgspec.structs.replace(held.summary, drifted=True, moved=MOVED)
    return held


def answers(bench: Bench) -> list[PerformanceReported]:
    """The newest report on version 1 of each window."""
    newest = {r.window: r for r in bench.events(PERFORMANCE_REPORTS) if r.version == 1}
    return [newest[w] for w in sorted(newest, key=lambda w: w.start)]


@pytest.fixture
def bench() -> Bench:
    return Bench(known)


def test_a_loss_that_is_higher_than_at_training_is_silent_decay_and_with_drift_harmful(bench):
    bench.step(*range(12))
    told = [r.answer.answer for r in answers(bench)]
    assert (told[0], told[-1]) == ("calm", "silent-decay")
    bench.assembler.windows[window(12)] = drifted(12)
    bench.step(*range(13))
    last = answers(bench)[-1].answer
    assert (last.answer, [c.column for c in last.columns]) == ("harmful-drift", ["items", "amount"])  # the more important first
    assert last.alarm.raised
    assert last.alarm.reference_from == "training"


def test_a_decision_carries_the_answer_that_its_report_gives(bench):
    bench.step(*range(12))
    decided = [msgspec.convert(d.evidence, Evidence).answer for d in bench.events(DECISIONS)]
    assert decided == [r.answer for r in answers(bench)]


def test_drift_alone_is_benign():
    bench = Bench(lambda version: known(version, msgspec.structs.replace(GOOD, mean=0.5)))
    bench.assembler.windows[window(0)] = drifted(0)
    bench.step(0)
    [report] = answers(bench)
    assert (report.answer.answer, report.answer.harm_known) == ("benign-drift", True)


def test_without_a_label_the_harm_is_not_known(bench):
    bench.lake.labelled = 0
    bench.step(0)
    [report] = answers(bench)
    assert (report.answer.answer, report.answer.harm_known, report.loss) == ("calm", False, msgspec.UNSET)


def test_labels_that_land_late_give_the_answers_that_labels_in_time_give(bench):
    late, in_time = bench, Bench(known)
    in_time.step(*range(12))
    late.lake.labelled = 0
    late.step(*range(12))
    assert all(not r.answer.harm_known for r in answers(late))
    late.lake.labelled, late.lake.ranges = 100, [(window(0).start, window(11).start)]
    late.step(*range(12))
    late.step(*range(12))  # ten windows have their turn in one step
    assert [r.answer for r in answers(late)] == [r.answer for r in answers(in_time)]


def test_the_alarm_goes_on_from_what_the_windows_remember_when_topic_and_history_have_forgotten(bench):
    bench.step(*range(12))
    before = bench.events(PERFORMANCE_REPORTS)
    bench.forget(PERFORMANCE_REPORTS)
    bench.restart()
    bench.step(*range(12))
    bench.step(*range(12))
    assert bench.events(PERFORMANCE_REPORTS) == before


def test_a_version_whose_profile_nobody_knows_is_held_against_its_first_windows():
    bench = Bench(lambda version: None)
    bench.step(*range(5))
    told = [r.answer for r in answers(bench)]
    assert [a.harm_known for a in told] == [False, False, True, True, True]
    assert told[-1].alarm.reference_from == "first-windows"
