"""What the trainer is doing, for ``/status``."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec

from driftloop.ports import Clock
from driftloop.service.project import FollowedRegistry
from driftloop.telemetry import get_logger
from driftloop.training.job import RunProgress

log = get_logger(__name__)


class TrainerStatus:
    """Keeps ``service.health.Health``: ready once the registry log has been folded to its end."""

    def __init__(self, instance: str, clock: Clock, registry: FollowedRegistry) -> None:
        self._instance, self._clock, self._registry = instance, clock, registry
        self._running: tuple[str, str, datetime] | None = None
        self._progress: RunProgress | None = None
        self._last_failure: dict[str, Any] | None = None

    def failed(self, model: str, request_id: str, reason: str) -> None:
        """Of the runs since the start, the last that failed; ``driftloop models runs`` has all of them."""
        self._last_failure = {"model": model, "request_id": request_id, "reason": reason, "at": self._clock.now()}

    def completed(self, model: str) -> None:
        """What failed of this model before is mended."""
        if self._last_failure is not None and self._last_failure["model"] == model:
            self._last_failure = None

    @contextmanager
    def running(self, model: str, request_id: str) -> Iterator[None]:
        self._running, self._progress = (model, request_id, self._clock.now()), None
        try:
            yield
        finally:
            self._running = None

    def progressed(self, progress: RunProgress) -> None:
        """One line of the training process."""
        self._progress = progress
        running = self._running
        if running is not None:
            log.info("training-progress", model=running[0], request_id=running[1], **msgspec.structs.asdict(progress))

    def ready(self) -> tuple[bool, dict[str, Any]]:
        folded = self._registry.caught_up
        return folded, {"registry_log": "folded" if folded else "not folded yet"}

    def status(self) -> dict[str, Any]:
        model, request_id, since = self._running or (None, None, None)
        progress = msgspec.structs.asdict(self._progress) if self._progress and self._running else None
        return {
            "service": "trainer",
            "instance": self._instance,
            "running": request_id,
            "model": model,
            "since": since,
            "progress": progress,
            "last_failure": self._last_failure,
        }
