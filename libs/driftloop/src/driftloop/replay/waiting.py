"""Waiting until the loop has settled after a window: in life a window lasts weeks and a retraining seconds.

The stream's clock stands still meanwhile, so the result is the same on a slow machine.
"""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import httpx

from driftloop.contracts.events import DecisionMade, TrainingCompleted
from driftloop.contracts.values import Window
from driftloop.errors import TransientError, UserError
from driftloop.history.lake_lag import Lag
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import ModelHistory
from driftloop.registry.fold import RegistryReader

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 120.0  # without any change in what is missing
TRAINING_PATIENCE_SECONDS = 1800.0  # a run says nothing between its start and its end

Missing = str | None  # what is still to come, in words; None: nothing


class MeasuresLag(Protocol):
    def measure(self) -> Lag:
        """As ``history.lake_lag.LakeLag``."""


class Settling:
    """Waits for one thing after the other; each wait says what for, and gives up when nothing has moved for too long.

    ``reader`` feeds ``history`` meanwhile.
    ``failures`` names services that were given up on, with the reason; ``logs`` the log file by instance.
    """

    def __init__(
        self,
        *,
        model: str,
        history: ModelHistory,
        reader: LogReader,
        lag: MeasuresLag,
        registry: RegistryReader,
        services: Mapping[str, str],
        logs: Mapping[str, str],
        failures: Callable[[], Mapping[str, str]],
        on_wait: Callable[[str], None] = lambda what: None,
        alias_epoch: Callable[[str], int] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._model, self._history, self._reader, self._lag, self._registry = model, history, reader, lag, registry
        self._predictors = {name: url for name, url in services.items() if name.startswith("predictor-")}
        self._logs, self._failures, self._on_wait = logs, failures, on_wait
        self._http = httpx.Client(timeout=5)  # one for all: making one costs more than asking
        self._alias_epoch = alias_epoch or self._ask_alias_epoch
        self._patience = patience_seconds

    def settle(self, window: Window) -> DecisionMade:
        """Return when everything that follows from the end of ``window`` has happened, with what was decided."""
        self.until_stored()
        decision = self.until_decided(window)
        if decision.accepted and decision.request_id is not None:
            self.until_run_is_judged(decision.request_id)
        self.until_predictors_follow()
        return decision

    def until_stored(self) -> None:
        """Lag 0: every request is scored and every row is in the lake or in quarantine."""
        self._wait(self._unstored, "ingest", "predictor")

    def until_decided(self, window: Window) -> DecisionMade:
        """The monitor has said whether to retrain after this window."""

        def missing() -> Missing:
            return None if self._history.retrain_decision(window) else f"the decision on the window that ended {window.end:%Y-%m-%d %H:%M}"

        self._wait(missing, "monitor")
        found = self._history.retrain_decision(window)
        assert found is not None
        return found.event

    def until_run_is_judged(self, request_id: str) -> None:
        """The run that answers the request has ended and, if it made a model, the registry has judged it."""
        self._wait(lambda: self._unfinished(request_id), "trainer", patience_seconds=TRAINING_PATIENCE_SECONDS)
        ended = self._history.ended(request_id)
        assert ended is not None
        run = ended.event
        if isinstance(run, TrainingCompleted):
            self._wait(lambda: self._unjudged(run.request_id), "registry")

    def until_predictors_follow(self) -> None:
        """Every predictor scores with the present champion."""
        self._wait(self._unfollowed, "predictor")

    def close(self) -> None:
        self._http.close()

    def champion(self) -> tuple[int | None, int]:
        """Version and epoch of the champion alias; None and 0 before the first."""
        model = self._registry.state().model(self._model)
        if model is None or model.champion is None:
            return None, 0
        return model.champion.version, model.champion_epoch

    def _unstored(self) -> Missing:
        try:
            lag = self._lag.measure()
        except TransientError as exc:
            return f"broker and store to answer ({exc})"
        if lag.unstored <= 0:
            return None
        return f"the lake, which is {lag.requests.lag:,} requests and {lag.labels.lag:,} labels behind"

    def _unfinished(self, request_id: str) -> Missing:
        if self._history.ended(request_id):
            return None
        if self._history.started(request_id):
            return f"training run {request_id} to end"
        return f"the trainer to take up request {request_id}"

    def _unjudged(self, request_id: str) -> Missing:
        decision = self._history.promotion_decision(request_id)
        if decision is None:
            return f"the registry to judge the version of run {request_id}"
        model = self._registry.state().model(self._model)
        if model is None or model.by_request(request_id) is None:
            return f"the version of run {request_id} to show in the registry's log"
        epoch = decision.event.evidence.get("outcome", {}).get("epoch") or 0
        if decision.event.accepted and self.champion()[1] < epoch:  # another command, which may come later
            return f"champion epoch {epoch} to show in the registry's log"
        return None

    def _unfollowed(self) -> Missing:
        epoch = self.champion()[1]
        behind = [name for name, url in self._predictors.items() if self._alias_epoch(url) != epoch]
        return f"{', '.join(behind)} to follow to champion epoch {epoch}" if behind else None

    def _ask_alias_epoch(self, url: str) -> int:
        """The champion epoch that a predictor has taken up; -1 while it does not say."""
        try:
            answer = self._http.get(f"{url}/status").json()
        except (httpx.HTTPError, ValueError):
            return -1
        epoch = answer.get("alias_epoch") if isinstance(answer, dict) else None
        return epoch if isinstance(epoch, int) else -1

    def _wait(self, missing: Callable[[], Missing], *services: str, patience_seconds: float | None = None) -> None:
        patience = self._patience if patience_seconds is None else patience_seconds
        said, since = "", time.monotonic()
        while (what := missing()) is not None:
            if what != said:
                said, since = what, time.monotonic()
                self._on_wait(what)
            for reason in self._failures().values():
                raise UserError(f"while waiting for {what}: {reason}")
            if time.monotonic() - since > patience:
                raise UserError(f"waited {patience:.0f} s in vain for {what}; see {self._logs_of(services)}")
            self._reader.read(POLL_SECONDS)

    def _logs_of(self, services: tuple[str, ...]) -> str:
        return ", ".join(path for name, path in self._logs.items() if name.rpartition("-")[0] in services) or "the logs"
