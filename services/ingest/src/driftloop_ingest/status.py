"""What ``/readyz`` and ``/status`` answer."""

from typing import Any

from driftloop_ingest.handlers import IngestHandler
from driftloop_ingest.shadow.keeper import ShadowKeeper


class IngestHealth:
    """Answers from the start: not ready until the tables are open."""

    def __init__(self) -> None:
        self.project: str | None = None
        self.handler: IngestHandler | None = None
        self.shadow: ShadowKeeper | None = None

    def ready(self) -> tuple[bool, dict[str, Any]]:
        return (True, {}) if self.handler is not None else (False, {"reason": "waiting for a project, its topics and the lake"})

    def status(self) -> dict[str, Any]:
        shadow = None if self.shadow is None else self.shadow.status()
        told = {} if shadow is None else {"shadow": shadow}
        return {"project": self.project, **({} if self.handler is None else self.handler.status()), **told}
