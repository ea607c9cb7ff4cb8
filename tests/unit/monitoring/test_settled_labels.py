"""A run that names no window is judged on the newest one that has its labels."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop.contracts.values import Window
from driftloop.monitoring.late_labels import SETTLED_SHARE, WindowLabels
from driftloop.monitoring.settled_labels import newest_settled

END = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Stream:
    """Windows of a hundred rows each, newest first, by the share of rows that has a label."""

    def __init__(self, share: Callable[[int], float], windows: int, rows: int = 100) -> None:
        self._share, self._windows, self._rows, self.asked = share, windows, rows, 0

    def labels_of(self, back: int) -> WindowLabels | None:
        self.asked += 1
        if back >= self._windows:
            return None
        window = Window(start=END - (back + 1) * HOUR, end=END - back * HOUR)
        return WindowLabels(window=window, rows=self._rows, labelled=int(self._share(back) * self._rows))

    @property
    def settled(self) -> int:
        """How many windows back the newest settled one lies."""
        return (END - newest_settled(self.labels_of).end) // HOUR


@pytest.mark.parametrize("windows", [1, 2, 5, 10_000])
def test_where_labels_come_with_their_window_it_is_the_newest(windows: int) -> None:
    assert Stream(lambda back: 0.3, windows).settled == 0


def test_labels_that_need_a_day_are_waited_for_with_few_looks() -> None:
    stream = Stream(lambda back: 0.9 * min(1.0, (back + 1) / 24), 5000)
    assert stream.settled == 19  # the first with four fifths of them
    assert stream.asked < 30


def test_early_labels_are_no_sample_of_those_to_come() -> None:
    """Half of the labels, those that say yes, are there at once; the others need three windows."""
    assert Stream(lambda back: 0.5 if back < 3 else 1.0, 100).settled == 3


def test_windows_without_rows_and_without_labels_are_passed_over() -> None:
    assert Stream(lambda back: 0.0 if back in (1, 2, 16) else 1.0 if back else 0.01, 100).settled == 3


@settings(deadline=None)
@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=80), rows=st.integers(1, 1000))
def test_whatever_the_shares_the_chosen_window_has_labels(shares: list[float], rows: int) -> None:
    shares[0] = 1.0
    stream = Stream(shares.__getitem__, len(shares), rows)
    chosen = stream.labels_of(stream.settled)
    assert chosen is not None
    assert chosen.labelled > 0
    assert chosen.labelled >= SETTLED_SHARE * min(max(1, int(share * rows)) for share in shares if int(share * rows))
