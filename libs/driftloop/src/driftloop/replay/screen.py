"""What a person sees while rows are replayed: a bar with event time, rows/s, lag and champion, and a line per window."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

LAG_EVERY_SECONDS = 1.0  # a look at broker and store


class Screen:
    """Writes to ``console``; without a terminal there is no bar, only the lines."""

    def __init__(self, console: Console, total_rows: int) -> None:
        self.console = console
        self._progress = Progress(
            TextColumn("{task.fields[time]}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn(
                "{task.fields[rate]:>9,.0f} rows/s  lag {task.fields[lag]:>7,}  champion {task.fields[champion]}  [dim]{task.fields[waits]}"
            ),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            refresh_per_second=4,
        )
        self._task = self._progress.add_task("", total=total_rows, time="", rate=0.0, lag=0, champion="–", waits="")
        self._began, self._rows, self._rows_then = time.monotonic(), 0, 0
        self._lag_at = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def expect(self, total_rows: int) -> None:
        """So many rows are to be sent after all."""
        self._progress.update(self._task, total=total_rows)

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def sending(self) -> None:
        """A stretch begins: rows/s is measured from here."""
        self._began, self._rows_then = time.monotonic(), self._rows

    def sent(self, at: datetime, rows: int, lag: Callable[[], int]) -> None:
        """``rows`` are acknowledged in all, and the stream's clock is at ``at``. ``lag`` is asked now and then."""
        self._rows = rows
        now = time.monotonic()
        rate = (rows - self._rows_then) / max(now - self._began, 1e-3)
        self._progress.update(self._task, completed=rows, time=f"{at:%Y-%m-%d %H:%M}", rate=rate, waits="")
        if not self._progress.disable and now - self._lag_at > LAG_EVERY_SECONDS:
            self._lag_at = now
            self._progress.update(self._task, lag=lag())

    def waits(self, what: str) -> None:
        """The stream's clock stands still and waits for this."""
        self._progress.update(self._task, waits=f"waiting for {what}"[:60])

    def champion(self, version: int | None) -> None:
        self._progress.update(self._task, champion=f"v{version}" if version else "–", lag=0, waits="")
