"""Windows that are no longer remembered one by one, and have got rows or labels since: their reports are made again. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from driftloop.contracts.values import Window
from driftloop.contracts.windows import WindowPlan
from driftloop.monitoring.window_index import WindowIndex


class Forgotten(NamedTuple):
    """The windows of one length that were reported and forgotten lie in ``[start, end)``."""

    start: datetime
    end: datetime
    every: timedelta  # the length of the last one

    def and_then(self, window: Window) -> "Forgotten":
        """With a later window forgotten, too. Where it has another length, the project has declared others."""
        length = window.end - window.start
        return Forgotten(self.start if length == self.every else window.start, max(self.end, window.end), length)

    @classmethod
    def of(cls, window: Window) -> "Forgotten":
        return cls(window.start, window.end, window.end - window.start)


class WindowsToMeasure:
    """Which of the forgotten windows are to be measured again, as runs of neighbours: however many they are, they take little."""

    def __init__(self, plan: WindowPlan) -> None:
        self._plan = WindowIndex(plan)
        self._runs: list[tuple[int, int]] = []  # first and last, rising, with a window between two runs

    def add(self, low: datetime, high: datetime, forgotten: Forgotten) -> None:
        """Those of ``forgotten`` that have event times of ``[low, high]``."""
        first = max(self._plan.closed_before(low), self._plan.first_from(forgotten.start))
        last = min(self._plan.closed_before(high), self._plan.closed_before(forgotten.end) - 1)
        if first > last:
            return
        apart = [run for run in self._runs if run[1] < first - 1 or run[0] > last + 1]
        joined = [run for run in self._runs if run not in apart]
        apart.append((min(first, *(run[0] for run in joined), first), max(last, *(run[1] for run in joined), last)))
        self._runs = sorted(apart)

    def first(self, n: int) -> list[Window]:
        """The oldest ``n``."""
        return [window for _, window in zip(range(n), self._windows(), strict=False)]

    def done(self, window: Window) -> None:
        """The oldest was measured."""
        first, last = self._runs[0]
        assert self._plan.window(first) == window
        self._runs[:1] = [] if first == last else [(first + 1, last)]

    def __bool__(self) -> bool:
        return bool(self._runs)

    def _windows(self) -> Iterator[Window]:
        for first, last in self._runs:
            for index in range(first, last + 1):
                yield self._plan.window(index)
