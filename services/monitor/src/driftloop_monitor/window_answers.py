"""What each window means, put into the report on the version that scored most of its rows."""

from collections.abc import Iterator, Sequence

import msgspec

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.meaning import MAX_INTEGER
from driftloop.contracts.values import Window
from driftloop.history.model_history import ModelHistory
from driftloop.monitoring.answers import window_answer
from driftloop.monitoring.assembled_window import AssembledWindow, WindowSummary
from driftloop.monitoring.loss_alarm import ToldLoss, loss_alarm, window_losses
from driftloop.monitoring.performance import ProfileOf
from driftloop.project.model import Project


class WindowAnswers:
    """Of one model. The loss alarm is a fold over what the newest report on each window says, wherever that is known from: remembered
    by the windows, which are stored, while the topic of the reports forgets; in the history; or just measured here."""

    def __init__(self, project: Project, history: ModelHistory, profile_of: ProfileOf) -> None:
        self._project, self._history, self._profile_of = project, history, profile_of
        self._measured: dict[tuple[int, Window], PerformanceReported] = {}

    def read_back(self) -> None:
        """The history holds all that was published before: what it says of a window stands, whoever told it last."""
        self._measured.clear()

    def answered(
        self, report: PerformanceReported, summary: WindowSummary | None, windows: Sequence[AssembledWindow]
    ) -> PerformanceReported:
        """The report with its answer, where it is to have one. ``windows``: those that are remembered. Raises TransientError where the
        version's profile cannot be had now."""
        version = report.version
        if version is None:
            return report
        self._measured[version, report.window] = msgspec.structs.replace(report, revision=MAX_INTEGER)  # newer than any told of
        if summary is None or summary.version != version:
            return report
        profile = self._profile_of(version)
        losses = window_losses(self._told(version, windows), version, report.window)
        alarm = loss_alarm(losses, None if profile is None else profile.held_out_loss or None, self._project.monitoring)
        answer = window_answer(summary.drifted, summary.moved or (), alarm, None if profile is None else profile.importance or None)
        return msgspec.structs.replace(report, answer=answer)

    def _told(self, version: int, windows: Sequence[AssembledWindow]) -> Iterator[ToldLoss]:
        for held in windows:
            if (last := held.last_report(version)) is not None:
                yield ToldLoss.remembered(held.window, last)
        for told in self._history.performance_reports():
            if told.event.model == self._project.model:
                yield ToldLoss.of(told.event)
        yield from map(ToldLoss.of, self._measured.values())
