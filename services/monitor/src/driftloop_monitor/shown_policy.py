"""What a person wants to know of the policy: what was decided last, how long windows wait, what is left of the budget."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from driftloop import metrics
from driftloop.contracts.events import DecisionMade
from driftloop.contracts.values import Window
from driftloop.history.model_history import ModelHistory
from driftloop.history.told import Told
from driftloop.monitoring.budget import Standing
from driftloop.monitoring.policy import restore, standing_of
from driftloop.ports import Clock
from driftloop.project.model import Project


class ShownPolicy:
    """Of one model, as metrics and for ``/status``; asked from the health server's thread."""

    def __init__(self, project: Project, history: ModelHistory, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._project, self._history, self._clock, self._monotonic = project, history, clock, monotonic
        self._waiting: dict[Window, float] = {}  # since when
        self._known: tuple[Told[DecisionMade], Standing] | None = None
        metrics.DECISION_AGE.labels(project.model).set_function(self.age_seconds)
        metrics.DECISION_OVERDUE.labels(project.model).set_function(self.overdue_seconds)
        metrics.BUDGET_LEFT.labels(project.model).set_function(self._at_once)

    def undecided(self, windows: Iterable[Window]) -> None:
        """The closed windows that wait now, of all partitions of this worker."""
        now = self._monotonic()
        self._waiting = {window: self._waiting.get(window, now) for window in windows}

    def age_seconds(self) -> float:
        """Of the last decision; not a number before there is one."""
        last = self._history.last_retrain_decision()
        return math.nan if last is None else (self._clock.now() - last.about.time).total_seconds()

    def overdue_seconds(self) -> float:
        """Beyond the one window's length that a window may wait for its labels."""
        now = self._monotonic()
        waited = [now - since - (window.end - window.start).total_seconds() for window, since in self._waiting.items()]
        return max((0.0, *waited))

    def as_dict(self) -> dict[str, Any]:
        last, standing = self._history.last_retrain_decision(), self.standing()
        if last is None or standing is None:
            return {"last_decision": None, "overdue_seconds": round(self.overdue_seconds(), 1)}
        return {
            "last_decision": last.about.time,
            "window_end": last.event.window.end if last.event.window else None,
            "accepted": last.event.accepted,
            "reason": last.event.reason,
            "overdue_seconds": round(self.overdue_seconds(), 1),
            "budget": standing.budget.attempts,
            "budget_period": self._project.policy.budget_period,
            "budget_left": standing.left,
            "budget_at_once": standing.at_once,
            "budget_kept": standing.budget.kept,
            "next_attempt": standing.next_at,
        }

    def standing(self) -> Standing | None:
        """After the last decision; None before one. Restored once for each."""
        last = self._history.last_retrain_decision()
        if last is None or last.event.window is None:
            return None
        known = self._known
        if known is None or known[0] is not last:
            model, policy = self._project.model, self._project.policy
            state = restore(policy, self._history.retrain_decisions(), self._history.carried(model))
            known = self._known = last, standing_of(policy, state, last.event.window)
        return known[1]

    def _at_once(self) -> float:
        standing = self.standing()
        return math.nan if standing is None else standing.at_once
