"""What ``/readyz`` and ``/status`` answer."""

from typing import Any

from driftloop_console.freshness import Freshness
from driftloop_console.record import ConsoleFold


class ConsoleHealth:
    """Ready once the record has been folded to its end; it then stays so while the broker is away, and shows what it knows."""

    def __init__(self, instance: str, record: ConsoleFold, freshness: Freshness) -> None:
        self._instance, self._record, self._freshness = instance, record, freshness

    def ready(self) -> tuple[bool, dict[str, Any]]:
        if self._freshness.caught_up:
            return True, {}
        return False, {"reason": " ".join(self._freshness.sentences())}

    def status(self) -> dict[str, Any]:
        as_of, trouble = self._freshness.known
        with self._record.reading() as record:
            held = {"events": record.events, "journal": len(record.journal), "models": sorted(record.models), "table_bytes": record.nbytes}
        return {"service": "console", "instance": self._instance, "as_of": as_of, "trouble": trouble, "record": held}
