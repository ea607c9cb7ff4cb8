"""What ``/readyz`` and ``/status`` answer."""

from typing import Any

from driftloop_ingest.handlers import IngestHandler


class IngestHealth:
    """Answers from the start: not ready until the tables are open."""

    def __init__(self) -> None:
        self.project: str | None = None
        self.handler: IngestHandler | None = None

    def ready(self) -> tuple[bool, dict[str, Any]]:
        return (True, {}) if self.handler is not None else (False, {"reason": "waiting for a project, its topics and the lake"})

    def status(self) -> dict[str, Any]:
        return {"project": self.project, **({} if self.handler is None else self.handler.status())}
