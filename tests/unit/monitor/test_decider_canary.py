"""Reports tell what a canary's answers lost, and its windows are put to the registry once each, when their labels are known."""

import msgspec
import pytest
from tests.unit.monitor.decider_bench import Bench, FakeLake
from tests.unit.monitoring.test_canary import answered
from tests.unit.monitoring.traffic import make_project, window

from driftloop.contracts.events import CanaryMeasured, PerformanceReported
from driftloop.contracts.topics import PERFORMANCE_REPORTS

STEPS = ("10 %",)


class CanaryLake(FakeLake):
    """Whose windows were answered by a canary, too."""

    def rows(self, window, counts):
        counts.labels = counts.joined = 600
        rows, plain = answered(harm=0.2), super().rows(window, counts)
        times = [plain.column(name).combine_chunks()[0].as_py() for name in ("event_time", "label_time")]
        for name, time in zip(("event_time", "label_time"), times, strict=True):
            rows = rows.append_column(plain.schema.field(name), [[time] * rows.num_rows])
        return rows


@pytest.fixture
def bench():
    project = make_project()
    made = Bench(project=msgspec.structs.replace(project, promotion=msgspec.structs.replace(project.promotion, canary=STEPS)))
    made.lake = made.decider._lake = CanaryLake()
    made.lake.labels = None
    return made


def of(bench, kind):
    return [event for event in bench.events(PERFORMANCE_REPORTS) if isinstance(event, kind)]


def test_each_window_is_told_once_with_the_windows_before_it(bench):
    bench.step(0)
    bench.step(0, 1)
    bench.step(0, 1)
    first, second = of(bench, CanaryMeasured)
    assert (first.version, first.epoch, first.window, first.alpha) == (2, 1, window(0), bench.project.monitoring.loss_alarm)
    assert [each.window for each in first.windows] == [window(0)]
    assert [each.window for each in second.windows] == [window(0), window(1)]
    assert first.windows[0].difference > 0.1


def test_nothing_is_put_to_the_registry_before_the_labels_are_known(bench):
    bench.lake.known = False
    bench.step(0)
    assert of(bench, CanaryMeasured) == []
    assert [report.canary[0].version for report in of(bench, PerformanceReported) if report.version is None] == [2]


def test_each_version_has_a_report_of_its_own_and_the_answer_is_the_champions(bench):
    bench.step(0)
    reports = {report.version: report for report in of(bench, PerformanceReported)}
    assert set(reports) == {None, 1, 2}
    assert reports[1].answer is not msgspec.UNSET
    assert reports[2].answer is msgspec.UNSET
    assert reports[2].loss.mean > reports[1].loss.mean
