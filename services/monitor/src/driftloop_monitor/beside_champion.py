"""What answered beside the champion, in its shadow or for a share of the entities: in each window's report, and put to the registry."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from driftloop.contracts.canary import MOST_WINDOWS, CanaryWindow
from driftloop.contracts.challengers import ChallengerReport
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import CanaryMeasured, ChallengerMeasured, PerformanceReported
from driftloop.contracts.topics import PERFORMANCE_REPORTS
from driftloop.contracts.values import Window
from driftloop.history.model_history import ModelHistory
from driftloop.monitoring import canary
from driftloop.monitoring.challengers import challenger_reports, earlier_gains, gate_measurements, with_challengers
from driftloop.monitoring.performance import ProfileOf
from driftloop.ports import EventPublisher
from driftloop.project.model import Project
from driftloop_monitor.lake_view import LakeView
from driftloop_monitor.shadow_view import ShadowView


class Found(NamedTuple):
    """Of one window."""

    challengers: tuple[ChallengerReport, ...]
    canary: tuple[CanaryWindow, ...]

    def told(self, report: PerformanceReported) -> PerformanceReported:
        told = with_challengers(report, self.challengers)
        return msgspec.structs.replace(told, canary=self.canary) if self.canary and report.version is None else told


class BesideChampion:
    """For one thread. ``shadow``: what challengers answered; None: nobody is asked."""

    def __init__(
        self,
        project: Project,
        lake: LakeView,
        history: ModelHistory,
        publisher: EventPublisher,
        profile_of: ProfileOf,
        shadow: ShadowView | None,
    ) -> None:
        self._project, self._lake, self._history, self._publisher = project, lake, history, publisher
        self._profile_of, self._shadow = profile_of, shadow

    def of(self, window: Window, rows: pa.Table) -> Found:
        """``rows``: the window's, with their labels, null where there is none yet. Raises TransientError."""
        answered = None if self._shadow is None else self._shadow.rows(window, self._lake.labels)
        challengers = () if answered is None else challenger_reports(self._project, answered)
        return Found(challengers, canary.canary_windows(self._project, window, rows, answered, self._profile_of))

    def put_to_the_gate(self, window: Window, reports: Sequence[PerformanceReported]) -> None:
        """Once a window: its labels are as known as they will be. Before the decision, after which nobody comes back."""
        known = [told.event for told in self._history.performance_reports() if told.event.model == self._project.model]
        self._challengers(window, reports, known)
        self._canary(window, reports, known)

    def _challengers(self, window: Window, reports: Sequence[PerformanceReported], known: Sequence[PerformanceReported]) -> None:
        pairs = [pair for report in reports for pair in report.challengers or () if pair.measured is not None]
        rows = None if self._shadow is None or not pairs else self._shadow.rows(window, self._lake.labels)
        if rows is None:
            return
        for pair in pairs:
            found = gate_measurements(self._project, window, rows, pair, earlier_gains(known, window, pair))
            if found is not None:
                event = ChallengerMeasured(model=self._project.model, stream=self._project.stream, version=pair.version, measurements=found)
                what = self._project.model, pair.version, pair.champion, window.start, window.end
                self._publisher.publish(PERFORMANCE_REPORTS, event, key=event.model, id=caused_id("challenger-measured", *what))

    def _canary(self, window: Window, reports: Sequence[PerformanceReported], known: Sequence[PerformanceReported]) -> None:
        here = [each for report in reports for each in report.canary or ()]
        if not here:
            return
        event = CanaryMeasured(
            model=self._project.model,
            stream=self._project.stream,
            version=here[-1].version,
            epoch=here[-1].epoch,
            window=window,
            windows=(*canary.earlier_windows(known, window), *here)[-MOST_WINDOWS:],
            alpha=self._project.monitoring.loss_alarm,
            tolerance=self._project.monitoring.loss_tolerance,
        )
        what = event.model, event.version, event.epoch, window.start, window.end
        self._publisher.publish(PERFORMANCE_REPORTS, event, key=event.model, id=caused_id("canary-measured", *what))
