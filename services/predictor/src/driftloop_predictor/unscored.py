"""Rows that were recorded without a prediction: how many, and why."""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from driftloop import metrics

NO_MODEL = "no-model"  # beside the reasons of ``artifact.unscorable``


class UnscoredRows:
    """Counts since the start of the process, and what the pipeline said last. For any thread."""

    def __init__(self) -> None:
        self._by_reason: Counter[str] = Counter()
        self._last: str | None = None
        self._lock = threading.Lock()

    def count(self, reasons: "Iterable[tuple[str, str]]") -> None:
        """One for each row: the reason, and what there is to say about it."""
        with self._lock:
            for reason, detail in reasons:
                self._by_reason[reason] += 1
                self._last = detail or self._last
                metrics.UNSCORED_ROWS.labels(reason).inc()

    def as_dict(self) -> dict[str, Any]:
        """For ``/status``."""
        with self._lock:
            return {"rows": dict(self._by_reason), "last": self._last}
