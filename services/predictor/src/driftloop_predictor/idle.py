"""Watermarks for partitions that have gone quiet, so that one idle key does not hold a window open."""

from datetime import datetime, timedelta

from driftloop.contracts.windows import shifted
from driftloop.ports import TopicPartition


class IdlePartitions:
    """Knows which partitions brought nothing for ``after_seconds`` and how far the others have come.

    The watermark it gives is the highest event time seen on any partition of this process, minus the allowed lateness.
    """

    def __init__(self, after_seconds: float, lateness: timedelta) -> None:
        self._after, self._lateness = after_seconds, lateness
        self._heard: dict[TopicPartition, float] = {}
        self._promised: dict[TopicPartition, datetime] = {}
        self._newest: datetime | None = None

    def own(self, tp: TopicPartition, now: float) -> None:
        self._heard[tp] = now

    def disown(self, tp: TopicPartition) -> None:
        self._heard.pop(tp, None)
        self._promised.pop(tp, None)

    def heard(self, tp: TopicPartition, now: float) -> None:
        self._heard[tp] = now

    def saw_rows(self, newest: datetime | None) -> None:
        if newest is not None and (self._newest is None or newest > self._newest):
            self._newest = newest

    def promised(self, tp: TopicPartition, watermark: datetime) -> None:
        """A watermark went out for ``tp``; a lower one would say nothing new."""
        self._promised[tp] = max(watermark, self._promised.get(tp, watermark))

    def due(self, now: float) -> dict[TopicPartition, datetime]:
        if self._newest is None:
            return {}
        watermark = shifted(self._newest, -self._lateness)
        return {
            tp: watermark
            for tp, heard in self._heard.items()
            if now - heard >= self._after and (tp not in self._promised or self._promised[tp] < watermark)
        }
