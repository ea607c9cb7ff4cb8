"""What happens in the demo, in order: history, version 1, the year window by window, the last labels, the reckoning."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from driftloop.contracts.values import Window
from driftloop.demo.example import HISTORY_WINDOWS
from driftloop.history.lake_lag import LakeLag
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import ModelHistory
from driftloop.ports import EventPublisher
from driftloop.project.model import Project
from driftloop.replay.acting import Sending, first_version
from driftloop.replay.publishing import Replay
from driftloop.replay.screen import Screen
from driftloop.replay.story import outcome
from driftloop.replay.waiting import Settling


class Settled(NamedTuple):
    """A window that was sent, when its end was promised (wall time), and the champion after it."""

    window: Window
    closed: datetime
    champion: int | None


class Story:
    """Acts as the applications do: sends rows and watermarks, and waits. The loop works by itself."""

    def __init__(
        self,
        *,
        project: Project,
        replay: Replay,
        settling: Settling,
        history: ModelHistory,
        reader: LogReader,
        lag: LakeLag,
        publisher: EventPublisher,
        screen: Screen,
        windows: int,
        realtime: float | None,
    ) -> None:
        self._project, self._replay, self._settling = project, replay, settling
        self._history, self._reader, self._publisher, self._screen = history, reader, publisher, screen
        self._sending = Sending(replay, lag, screen)
        self._realtime = realtime
        self.windows = project_windows(project)[:windows]
        self.settled: list[Settled] = []
        self.replay_seconds = 0.0

    def run(self) -> None:
        self._unscored_windows()
        self._first_version()
        began = time.monotonic()
        for number, window in enumerate(self.windows[HISTORY_WINDOWS:], HISTORY_WINDOWS + 1):
            self._one_window(number, window)
        self._last_labels()
        self.replay_seconds = time.monotonic() - began

    def _unscored_windows(self) -> None:
        """The first tenth, with nobody to score it."""
        end = self.windows[HISTORY_WINDOWS - 1].end
        self._send(None, end)
        self._replay.promise(end)
        closed = datetime.now(UTC)
        self._settling.until_stored()
        for window in self.windows[:HISTORY_WINDOWS]:
            self._settling.until_decided(window)
            self.settled.append(Settled(window, closed, None))
        rows = f"{self._replay.requests:,} requests and {self._replay.labels:,} labels"
        self._screen.say(f"history: {rows} before {end:%d %B} are in the lake, unscored")

    def _first_version(self) -> None:
        champion = first_version(
            self._project,
            self.windows[HISTORY_WINDOWS - 1],
            by="driftloop demo",
            remedy="",
            history=self._history,
            settling=self._settling,
            publisher=self._publisher,
        )
        self._screen.champion(champion)
        self._screen.say(f"version {champion} is champion on every predictor")

    def _one_window(self, number: int, window: Window) -> None:
        self._send(window.start, window.end)
        self._replay.promise(window.end)
        closed = datetime.now(UTC)
        before, _ = self._settling.champion()
        decision = None
        if self._realtime is None:
            decision = self._settling.settle(window)
        champion, _ = self._settling.champion()
        self.settled.append(Settled(window, closed, champion))
        self._screen.champion(champion)
        self._screen.say(
            f"window {number:>2}  {window.start:%d %b} – {window.end:%d %b}  {outcome(self._history, decision, before, champion)}"
        )

    def _last_labels(self) -> None:
        """Those that became known after the last window; with ``realtime``, also all that was not waited for."""
        end = self.windows[-1].end
        last = self._replay.last_label_time()
        if last is not None and last >= end:
            self._send(end, None, paced=False)
            self._replay.promise(last)
        self._settling.until_stored()
        for window in self.windows[HISTORY_WINDOWS:] if self._realtime is not None else ():
            self._settling.settle(window)
        self._reader.read(0.5)

    def _send(self, start: datetime | None, end: datetime | None, *, paced: bool = True) -> None:
        in_history = start is None
        self._sending.send(start, end, speed=None if in_history or not paced else self._realtime)


def project_windows(project: Project) -> list[Window]:
    """The windows between the project's cuts, in order."""
    found = [project.windows.window_of(cut) for cut in project.windows.cuts]
    windows: Sequence[Window] = [window for window in found if window is not None]
    return list(windows)
