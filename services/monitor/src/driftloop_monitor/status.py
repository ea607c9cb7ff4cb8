"""What ``/readyz`` and ``/status`` answer; read by the health server's thread."""

from typing import Any

from driftloop.history.model_history import ModelHistory
from driftloop_monitor.app import Monitor
from driftloop_monitor.shown_policy import ShownPolicy


class MonitorStatus:
    """Filled in as the parts come to life."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self.project: str | None = None
        self.monitor: Monitor | None = None
        self.history: ModelHistory | None = None
        self.policy: ShownPolicy | None = None
        self.settled = False  # as the event loop last saw it
        self.last_error: str | None = None

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Ready once partitions were assigned and their tables recovered, or there are none left for this worker."""
        if self.monitor is None:
            return False, {"reason": "waiting for the project"}
        if not self.settled:
            return False, {"reason": "partitions are being assigned or tables recovered"}
        return True, {}

    def status(self) -> dict[str, Any]:
        monitor, folds, assemblies = self.monitor, [], []
        if monitor is not None:
            folds, assemblies = list(monitor.folds.items()), list(monitor.assemblies.values())
        complete = [held for runner in assemblies for held in runner.assembler.complete()]
        decisions = self.history.retrain_decisions() if self.history is not None else []
        return {
            "instance": self._instance,
            "project": self.project,
            "partitions": {str(p): runner.fold.next_offset for p, runner in sorted(folds)},
            "durable": {str(p): monitor.folds_table.durable(p) for p, _ in sorted(folds)} if monitor else {},
            "closed_up_to": {str(p): runner.fold.closed_up_to for p, runner in sorted(folds)},
            "too_late_rows": {str(p): runner.fold.uncounted_rows[0] for p, runner in sorted(folds)},
            "too_early_rows": {str(p): runner.fold.uncounted_rows[1] for p, runner in sorted(folds)},
            "too_large": {
                **{f"{p}/{window.start.isoformat()}": size for p, runner in sorted(folds) for window, size in runner.fold.too_wide.items()},
                **({**monitor.folds_table.not_stored, **monitor.assemblies_table.not_stored} if monitor else {}),
            },
            "closed_windows": [held.window.start for runner in assemblies for held in runner.assembler.windows.values()],
            "reported": [held.window.start for held in complete],
            "decided": [d.window.start for d in decisions if d.window is not None],
            "policy": self.policy.as_dict() if self.policy is not None else None,
            "last_error": self.last_error,
        }
