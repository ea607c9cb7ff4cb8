"""Watermarks for partitions that have gone quiet, so that neither an idle key nor an idle stream holds a window open."""

from datetime import datetime, timedelta
from typing import NamedTuple

from driftloop.contracts.windows import CLOCK_SKEW, shifted
from driftloop.ports import TopicPartition


class Seen(NamedTuple):
    """An event time that rows had, and when they were scored."""

    event_time: datetime
    scored_at: datetime


class IdlePartitions:
    """Knows which partitions brought nothing for ``after_seconds`` and how far the stream has come.

    The watermark it gives is the highest event time seen, but no time that is yet to come, minus the allowed lateness. Where
    event times follow the wall clock, time goes on also while no rows come: ``grace`` after it, so that an outage that is
    shorter makes no row late. ``grace`` None: never. ``replay``: event times are those of another clock, and may lie ahead.
    """

    def __init__(self, after_seconds: float, lateness: timedelta, *, grace: timedelta | None = None, replay: bool = False) -> None:
        self.after_seconds, self._lateness, self._grace, self._replay = after_seconds, lateness, grace, replay
        self._heard: dict[TopicPartition, float] = {}
        self._promised: dict[TopicPartition, datetime] = {}
        self._newest: Seen | None = None

    def own(self, tp: TopicPartition, now: float) -> None:
        self._heard[tp] = now

    def disown(self, tp: TopicPartition) -> None:
        self._heard.pop(tp, None)
        self._promised.pop(tp, None)

    def heard(self, tp: TopicPartition, now: float) -> None:
        self._heard[tp] = now

    def saw_rows(self, seen: Seen | None) -> None:
        if seen is not None and (self._newest is None or seen.event_time > self._newest.event_time):
            self._newest = seen

    def promised(self, tp: TopicPartition, watermark: datetime) -> None:
        """A watermark went out for ``tp``; a lower one would say nothing new."""
        self._promised[tp] = max(watermark, self._promised.get(tp, watermark))

    def all_silent(self, now: float) -> bool:
        """Whether none of this process's partitions tells how far the stream has come."""
        return bool(self._heard) and all(now - heard >= self.after_seconds for heard in self._heard.values())

    def due(self, now: float, wall: datetime) -> dict[TopicPartition, datetime]:
        """The watermark for each partition that needs one; ``wall`` is the wall time of ``now``."""
        watermark = self._watermark(wall)
        if watermark is None:
            return {}
        return {
            tp: watermark
            for tp, heard in self._heard.items()
            if now - heard >= self.after_seconds and (tp not in self._promised or self._promised[tp] < watermark)
        }

    def _watermark(self, wall: datetime) -> datetime | None:
        if self._newest is None:
            return None
        event_time, scored_at = self._newest
        reached = event_time if self._replay else min(event_time, wall)
        follows_the_clock = not self._replay and scored_at - event_time <= self._lateness + CLOCK_SKEW
        if follows_the_clock and self._grace is not None:
            period = timedelta(seconds=self.after_seconds)  # a new watermark in each, not at each look
            passed = (wall - scored_at) // period * period
            reached = max(reached, shifted(min(event_time, scored_at), passed - self._grace))
        return shifted(reached, -self._lateness)
