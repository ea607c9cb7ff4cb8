"""How far a reader is in its partitions, as metrics: in one place, so that every service shows it under the same names."""

import threading
import time
from collections.abc import Callable, Iterable

from driftloop import metrics
from driftloop.ports import TopicPartition


class PartitionProgress:
    """What is durable beside what the topic holds, for the partitions that this member owns.

    ``driftloop_behind_seconds`` is computed when it is asked for, so that a loop that is stuck shows it all the same. A partition
    that is given up is shown no longer: its next owner shows it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._durable: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._since: dict[TopicPartition, float] = {}  # when the durable offset last moved, or fell behind

    def durable(self, tp: TopicPartition, offset: int) -> None:
        """All below ``offset`` is accounted for by what is durable."""
        with self._lock:
            if self._durable.get(tp) != offset:
                self._since[tp] = self._clock()
            self._durable[tp] = offset
        metrics.DURABLE_OFFSET.labels(*_labels(tp)).set(offset)
        metrics.BEHIND_SECONDS.labels(*_labels(tp)).set_function(lambda: self.behind_seconds(tp))

    def end(self, tp: TopicPartition, offset: int | None) -> None:
        """The partition's end as last heard; None: nothing was heard yet."""
        if offset is None:
            return
        with self._lock:
            if self._ends.get(tp, 0) <= self._durable.get(tp, 0):  # it was at the end until now
                self._since[tp] = self._clock()
            self._ends[tp] = offset
        metrics.END_OFFSET.labels(*_labels(tp)).set(offset)

    def behind_seconds(self, tp: TopicPartition) -> float:
        """Since the durable offset last moved, while it is not at the end; 0 while it is."""
        with self._lock:
            if self._durable.get(tp, 0) >= self._ends.get(tp, 0):
                return 0.0
            return self._clock() - self._since.get(tp, self._clock())

    def forget(self, tps: Iterable[TopicPartition]) -> None:
        """They are another member's now, or their offsets begin again."""
        for tp in tps:
            with self._lock:
                for known in (self._durable, self._ends, self._since):
                    known.pop(tp, None)
            for shown in (metrics.DURABLE_OFFSET, metrics.END_OFFSET, metrics.BEHIND_SECONDS):
                shown.remove(*_labels(tp))


def _labels(tp: TopicPartition) -> tuple[str, str]:
    return tp.topic, str(tp.partition)
