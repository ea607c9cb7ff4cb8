"""A project declares other windows while a stream runs: every row is in one window, and each window is told whole or not at all."""

from datetime import timedelta

import msgspec
import pytest
from tests.unit.monitoring.traffic import HOUR, REQUESTS, START, make_profile, make_project, make_rows, message, window

from driftloop.contracts.values import Window
from driftloop.contracts.windows import WindowPlan
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import PartitionState, decode_state
from driftloop.project.model import Project
from driftloop.statistics.histograms import Counter

HOURS = make_project()
COUNTER = Counter(make_profile(HOURS, 1))


def declared(**plan) -> Project:
    return msgspec.structs.replace(HOURS, windows=WindowPlan(**plan))


THREE_HOURS, DAYS, HALF_HOURS = (declared(every=timedelta(hours=h)) for h in (3, 24, 0.5))


class Partition:
    """A partition's fold, sent rows at hours after the start; it can go on under another declaration."""

    def __init__(self) -> None:
        self.offset, self.request, self.told = 0, 0, []
        self.fold = PartitionFold(HOURS, 0, 1, lambda version: ("1" * 64, COUNTER), PartitionState(topic_id="t"), REQUESTS)

    def send(self, *hours: float, mark: float | None = None) -> None:
        rows = make_rows(HOURS, [START + h * HOUR for h in hours])
        promised = None if mark is None else START + mark * HOUR
        self.fold.add(self.offset, *message(rows, self.request, watermark=promised))
        self.offset, self.request = self.offset + 1, self.request + len(hours)
        self.told += self.fold.drain()

    def go_on(self, project: Project) -> None:
        """A restart; what the new one has to tell is drained with its next message, as the runner does."""
        stored = decode_state(self.fold.state().encode())
        self.fold = PartitionFold(project, 0, 1, lambda version: ("1" * 64, COUNTER), stored, REQUESTS)

    def windows(self) -> list[tuple[Window, int]]:
        return [(counted.window, counted.rows) for counted in self.told]

    @property
    def uncounted(self) -> tuple[int, int]:
        state = self.fold.state()
        return state.too_late_rows, state.too_early_rows


def span(start: float, end: float) -> Window:
    return Window(start=START + start * HOUR, end=START + end * HOUR)


@pytest.fixture
def partition() -> Partition:
    """The first hour is closed, the second one open."""
    partition = Partition()
    partition.send(0.1, 0.2)
    partition.send(1.1, 1.2, 1.3)
    assert partition.windows() == [(window(0), 2)]
    return partition


def test_the_open_window_of_before_ends_as_it_is_and_the_new_ones_begin_after_it(partition):
    partition.go_on(THREE_HOURS)
    partition.send(1.4, 2.5)  # neither in the hour that has ended nor in a window that begins with all its rows
    partition.send(3.1, 4.1)
    partition.send(6.1)
    assert partition.windows() == [(window(0), 2), (window(1), 3), (span(3, 6), 2)]
    assert partition.uncounted == (2, 0)
    assert partition.fold.begins_at == START + 2 * HOUR


def test_a_day_that_has_begun_is_not_told_in_part(partition):
    """Its report would hold some of its rows, under the start of an hour that was reported long ago."""
    partition.go_on(DAYS)
    partition.send(3)
    partition.send(24.5)
    partition.send(48.5)
    assert partition.windows() == [(window(0), 2), (window(1), 3), (span(24, 48), 1)]


def test_shorter_windows_begin_where_the_longer_one_ended(partition):
    partition.go_on(HALF_HOURS)
    partition.send(1.9, 2.1)
    partition.send(2.6)
    assert partition.windows() == [(window(0), 2), (window(1), 3), (span(2, 2.5), 1)]
    assert partition.uncounted == (1, 0)


def test_a_restart_before_the_first_new_window_closes_changes_nothing(partition):
    partition.go_on(THREE_HOURS)
    partition.send(3.1)
    for hours in ((1.5,), (3.2, 4.1), (5.9,)):
        partition.go_on(THREE_HOURS)
        partition.send(*hours)
    partition.send(6.1)
    assert partition.windows() == [(window(0), 2), (window(1), 3), (span(3, 6), 4)]
    assert partition.uncounted == (1, 0)


def test_rows_of_before_the_first_new_window_correct_no_window_that_was_never_told(partition):
    partition.go_on(THREE_HOURS)
    partition.send(6.1)
    partition.go_on(THREE_HOURS)
    partition.send(1.5)  # lies in the first three hours, of which a part was told by the hour
    assert partition.windows() == [(window(0), 2), (window(1), 3), (span(3, 6), 0)]
    assert partition.uncounted == (1, 0)


def test_a_crash_before_it_was_told_tells_the_same_again(partition):
    stored = partition.fold.state().encode()
    first, second = (PartitionFold(DAYS, 0, 1, lambda version: ("1" * 64, COUNTER), decode_state(stored), REQUESTS) for _ in range(2))
    assert first.drain() == second.drain()
    assert first.new_plan


def test_a_stray_from_the_far_future_does_not_put_off_the_new_windows(partition):
    partition.send(9000.5)
    partition.go_on(THREE_HOURS)
    partition.send(3.1)
    partition.send(6.1)
    assert partition.windows() == [(window(0), 2), (window(1), 3), (span(3, 6), 1)]
    assert partition.uncounted == (0, 1)


def test_windows_that_both_declarations_have_are_told_in_their_order():
    def cut(*hours: float) -> Project:
        plan = declared(cuts=tuple(START + h * HOUR for h in hours))
        return msgspec.structs.replace(plan, allowed_lateness=timedelta(hours=2))

    partition = Partition()
    partition.go_on(cut(0, 1, 2, 3, 4))
    partition.send(0.5, 1.5, 2.5)
    partition.go_on(cut(0, 1, 2.5, 3, 4))
    partition.send(3.5, mark=4)
    assert partition.windows() == [(span(0, 1), 1), (span(1, 2), 1), (span(2, 3), 1), (span(3, 4), 1)]


def test_one_more_cut_is_no_new_declaration(partition):
    cuts = tuple(START + h * HOUR for h in range(3))
    partition.go_on(declared(cuts=cuts))
    assert not partition.fold.new_plan
    partition.go_on(declared(cuts=(*cuts, START + 5 * HOUR)))
    assert not partition.fold.new_plan
    partition.send(2.5)
    partition.send(2.6, mark=5)
    assert partition.windows() == [(window(0), 2), (window(1), 3), (span(2, 5), 2)]
