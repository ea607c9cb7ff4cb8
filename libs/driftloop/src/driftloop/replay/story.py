"""What happens in a replay, in order: history, the first version, window after window, the last labels."""

import itertools
from collections.abc import Sequence
from datetime import datetime

from driftloop.contracts.events import DecisionMade, TrainingFailed
from driftloop.contracts.values import Window
from driftloop.history.lake_lag import LakeLag
from driftloop.history.model_history import ModelHistory
from driftloop.ports import EventPublisher
from driftloop.project.model import Project
from driftloop.replay.acting import Sending, first_version
from driftloop.replay.publishing import Replay
from driftloop.replay.screen import Screen
from driftloop.replay.waiting import Settling

WHEN = "%Y-%m-%d %H:%M"


class Story:
    """Acts as the applications do: sends rows and watermarks, and waits until the loop has settled after each window. ``speed``: how
    many times as fast as its own the stream's time passes, and nothing is waited for then; None: as fast as the loop follows.
    ``last``: after which no window closes, as its end has not come yet; None: all do."""

    def __init__(
        self,
        *,
        project: Project,
        windows: Sequence[Window],
        replay: Replay,
        settling: Settling,
        history: ModelHistory,
        lag: LakeLag,
        publisher: EventPublisher,
        screen: Screen,
        speed: float | None,
        last: datetime | None,
        requested_by: str,
    ) -> None:
        self._project, self._replay, self._settling, self._history = project, replay, settling, history
        self._publisher, self._screen, self._speed = publisher, screen, speed
        self._sending = Sending(replay, lag, screen)
        self._by = requested_by
        self.windows = [window for window in windows if last is None or window.end <= last]
        self.before: list[Window] = []
        self.open = [window for window in windows if last is not None and window.end > last]

    def run(self) -> None:
        first = self._project.backtest.first
        champion, _ = self._settling.champion()
        history = self.windows[:first]
        self._history_windows(history)
        if champion is None:
            self._first_version(history[-1])
        for number, (start, window) in enumerate(stretches(self.windows, first), first + 1):
            self._one_window(number, start, window)
        self._rest()

    def _history_windows(self, windows: Sequence[Window]) -> None:
        """What is there before the first version, with nobody to score it."""
        end = windows[-1].end
        self._send(None, end, paced=False)
        self._replay.promise(end)
        self._settling.until_stored()
        for window in windows:
            self._settling.until_decided(window)
        self._screen.say(f"windows 1 to {len(windows)}, before {end:{WHEN}}, are the history that the first version is trained on")

    def _first_version(self, window: Window) -> None:
        champion = first_version(
            self._project,
            window,
            by=self._by,
            remedy="; correct the project, `driftloop up --project DIR`, and replay again",
            history=self._history,
            settling=self._settling,
            publisher=self._publisher,
        )
        self._screen.champion(champion)
        self._screen.say(f"version {champion} is champion")

    def _one_window(self, number: int, start: datetime, window: Window) -> None:
        settled, sent = self._history.retrain_decision(window) is not None, self._replay.requests + self._replay.labels
        self._send(start, window.end)
        self._replay.promise(window.end)
        before, _ = self._settling.champion()
        decision = self._settling.settle(window) if self._speed is None else None
        champion, _ = self._settling.champion()
        self._screen.champion(champion)
        if settled and sent == self._replay.requests + self._replay.labels:
            self.before.append(window)  # of an earlier replay: its outcome is not today's
            return
        about = f"window {number:>3}  {window.start:{WHEN}} to {window.end:{WHEN}}"
        self._screen.say(f"{about}  {outcome(self._history, decision, before, champion)}")

    def _rest(self) -> None:
        """Rows of windows that are still open, labels that became known after the last window, and what was not waited for."""
        end = self.windows[-1].end
        self._send(end, None, paced=False)
        last = self._replay.last_label_time()
        if last is not None and last >= end and not self.open:
            self._replay.promise(last)
        self._settling.until_stored()
        if self._speed is not None:
            for window in self.windows[self._project.backtest.first :]:
                self._settling.settle(window)
        if self.before:
            self._screen.say(f"{len(self.before)} windows had been settled before")
        for window in self.open:
            self._screen.say(f"the window that ends {window.end:{WHEN}} is still open: it closes when its time has come")

    def _send(self, start: datetime | None, end: datetime | None, *, paced: bool = True) -> None:
        self._sending.send(start, end, speed=self._speed if paced else None)


def stretches(windows: Sequence[Window], first: int) -> list[tuple[datetime, Window]]:
    """Every window after the ``first``, with the moment from which on to send before it closes: the end of the one before, as labels become
    known also while no row happens."""
    return [(before.end, window) for before, window in itertools.pairwise(windows[first - 1 :])]


def outcome(history: ModelHistory, decision: DecisionMade | None, before: int | None, champion: int | None) -> str:
    """What came of a window, in words."""
    if decision is None:
        return f"sent; champion v{champion}"
    if not decision.accepted or decision.request_id is None:
        return f"no retraining: {decision.reason}"
    ended = history.ended(decision.request_id)
    if ended is None:
        return "retraining not over"
    if isinstance(ended.event, TrainingFailed):
        return f"retraining failed: {ended.event.reason}"
    moved = f"v{before} → v{champion}" if champion != before else f"v{champion} stays"
    measured = ended.event.measurements
    if measured is None:
        judged = history.promotion_decision(ended.event.request_id)
        return f"{moved}: {judged.event.reason if judged else 'not judged'}"
    return f"{moved:<10} {measured.candidate:.3f} against {measured.champion:.3f}, gain at least {measured.gain_lower:+.3f}"
