"""What the process that scores for a challenger tells the ingest that started it: a line of JSON on its standard output."""

import threading
import time
from collections.abc import Callable

import msgspec

from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part
from driftloop.ports import TopicPartition


class Progress(Part, frozen=True, kw_only=True):
    """``lag_seconds``: age of the oldest message that was read and is not answered for, by the broker's time; 0 at the end of the topic.

    ``rows``: answered for since the process began, ``unscored`` of them with a null, because the challenger could not score them.
    ``passed_over``: messages that were left out, by reason.
    """

    version: int | None = None  # the challenger's; null: none has been loaded
    epoch: int | None = None
    lag_seconds: float = 0.0
    rows: int = 0
    unscored: int = 0
    passed_over: dict[str, int] = msgspec.field(default_factory=dict)
    last_error: str | None = None


def decode_progress(line: bytes) -> Progress | None:
    """None for a line that is something else's."""
    try:
        return msgspec.json.decode(line, type=prepared(Progress))
    except UNDECODABLE:
        return None


class Account:
    """Counts what is done; one thread changes it, another may look."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._oldest_ms: dict[TopicPartition, int] = {}  # of partitions that are behind their end
        self._passed_over: dict[str, int] = {}
        self._rows = self._unscored = 0
        self.version: int | None = None
        self.epoch: int | None = None
        self.last_error: str | None = None

    def began(self, tp: TopicPartition, timestamp_ms: int) -> None:
        """The message of that time is in hand, whatever becomes of it."""
        with self._lock:
            self._oldest_ms[tp] = timestamp_ms

    def at_end(self, tps: frozenset[TopicPartition]) -> None:
        """All that these hold is in hand."""
        with self._lock:
            for tp in tps:
                self._oldest_ms.pop(tp, None)

    def scored(self, rows: int, unscored: int) -> None:
        with self._lock:
            self._rows += rows
            self._unscored += unscored

    def passed_over(self, why: str) -> None:
        with self._lock:
            self._passed_over[why] = self._passed_over.get(why, 0) + 1

    def progress(self) -> Progress:
        with self._lock:
            oldest = min(self._oldest_ms.values(), default=None)
            return Progress(
                version=self.version,
                epoch=self.epoch,
                lag_seconds=0.0 if oldest is None else max(0.0, self._now() - oldest / 1000),
                rows=self._rows,
                unscored=self._unscored,
                passed_over=dict(self._passed_over),
                last_error=self.last_error,
            )
