"""Topics whose records are made as they are read: years of them take no memory, and no broker's time is measured.

They keep ``ports.Topics`` for a reader that starts at the beginning or at the end, as far as readers of control topics ask.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import Event
from driftloop.ports import MessageConsumer, Record, TopicInfo, TopicPartition

Told = tuple[str, Event, str, datetime]  # topic, event, its id, its time


class MadeTopic(NamedTuple):
    """``records`` makes all of them, ``count`` in number, in the one partition."""

    count: int
    records: Callable[[], Iterator[Told]]


class MadeTopics:
    """By name. Each look at one makes the same records."""

    def __init__(self, made: Mapping[str, MadeTopic], key: str) -> None:
        self.made, self._key = made, key

    def describe(self, names: Sequence[str]) -> Mapping[str, TopicInfo]:
        return {name: TopicInfo(f"made {name}", 1) for name in names}

    def reader(self, tps: Sequence[TopicPartition]) -> MessageConsumer:
        return _Reader(self, tps)  # type: ignore[return-value] # as far as it is asked

    def records(self, tp: TopicPartition) -> Iterator[Record]:
        for offset, (topic, event, event_id, time) in enumerate(self.made[tp.topic].records()):
            value, headers = encode_event(event, envelope(event, id=event_id, source="driftloop/bench", subject=self._key, time=time))
            yield Record(topic, 0, offset, 0, self._key.encode(), value, headers)


class _Reader:
    def __init__(self, topics: MadeTopics, tps: Sequence[TopicPartition]) -> None:
        self._topics, self._tps = topics, list(tps)
        self._next = dict.fromkeys(self._tps, 0)
        self._making: dict[TopicPartition, Iterator[Record]] = {}

    def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._topics.made[tp.topic].count for tp in tps}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._next[tp] = offset
        end = self._topics.made[tp.topic].count
        self._making[tp] = iter(()) if offset == end else itertools.islice(self._topics.records(tp), offset, None)

    def poll(self, timeout_seconds: float, max_records: int) -> dict[TopicPartition, list[Record]]:
        share = max(1, max_records // len(self._tps))
        polled = {tp: records for tp in self._tps if (records := list(itertools.islice(self._making[tp], share)))}
        for tp, records in polled.items():
            self._next[tp] = records[-1].offset + 1
        return polled

    def last_position(self, tp: TopicPartition) -> int:
        return self._next[tp]

    def topic_id(self, topic: str) -> str:
        return f"made {topic}"

    def close(self) -> None:
        self._making.clear()
