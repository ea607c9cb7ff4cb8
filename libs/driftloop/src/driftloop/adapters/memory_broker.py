"""A broker in memory, for tests and for trying things out; held to the same contract as Kafka."""

import itertools
import threading
import time as wall
import uuid
from collections.abc import Mapping, Sequence

from driftloop.contracts.headers import Headers
from driftloop.errors import ConfigurationError, GapError
from driftloop.ports import RebalanceListener, Record, TopicInfo, TopicPartition


class MemoryBroker:
    """Topics with partitions, committed offsets of groups, and eager rebalances, in one process."""

    def __init__(self) -> None:
        self._logs: dict[str, list[list[Record | None]]] = {}
        self._start: dict[TopicPartition, int] = {}
        self._ids: dict[str, str] = {}
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self._members: dict[str, list[MemoryConsumer]] = {}
        self.lock = threading.RLock()

    def create_topic(self, topic: str, partitions: int = 1) -> None:
        with self.lock:
            if topic not in self._logs:
                self._logs[topic], self._ids[topic] = [[] for _ in range(partitions)], str(uuid.uuid4())

    def add_partitions(self, topic: str, partitions: int) -> None:
        """Give a topic so many; the members of groups hear of it with the next rebalance."""
        with self.lock:
            logs = self._log_of(topic)
            logs.extend([] for _ in range(partitions - len(logs)))

    def delete_topic(self, topic: str) -> None:
        """With its records; made again under its name it has another id."""
        with self.lock:
            for tp in self.partitions(topic):
                self._start.pop(tp, None)
            del self._logs[topic], self._ids[topic]

    def describe(self, names: Sequence[str]) -> Mapping[str, TopicInfo]:
        """With ``reader``, keeps ``ports.Topics``."""
        partitions = {name: len(self._log_of(name)) for name in names}
        return {name: TopicInfo(self._ids[name], n) for name, n in partitions.items()}

    def topic_id(self, topic: str) -> str | None:
        return self._ids.get(topic)

    def partitions(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, p) for p in range(len(self._log_of(topic)))]

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, partition after partition."""
        with self.lock:
            return [record for record in itertools.chain.from_iterable(self._log_of(topic)) if record is not None]

    def expire(self, tp: TopicPartition, before: int) -> None:
        """As if retention had removed everything below ``before``."""
        self._start[tp] = before

    def abort(self, tp: TopicPartition, records: int) -> None:
        """As if a transaction of that many records had been aborted: they and its control marker are offsets without a record."""
        with self.lock:
            self._log_of(tp.topic)[tp.partition].extend([None] * (records + 1))

    def producer(self) -> "MemoryProducer":
        return MemoryProducer(self)

    def consumer(
        self, *, group: str | None = None, topics: Sequence[str] = (), listener: RebalanceListener | None = None
    ) -> "MemoryConsumer":
        consumer = MemoryConsumer(self, group, topics, listener)
        with self.lock:
            self._members.setdefault(group or "", []).append(consumer)
            self.rebalance(group or "")
        return consumer

    def reader(self, tps: Sequence[TopicPartition]) -> "MemoryConsumer":
        consumer = MemoryConsumer(self, None, (), None)
        consumer.owned = frozenset(tps)
        return consumer

    def rebalance(self, group: str) -> None:
        members = self._members.get(group, [])
        for n, member in enumerate(members):
            all_tps = [tp for topic in member.topics for tp in self.partitions(topic)]
            member.pending = frozenset(all_tps[n :: len(members)])

    def leave(self, group: str, member: "MemoryConsumer") -> None:
        with self.lock:
            if member in self._members.get(group, []):
                self._members[group].remove(member)
                self.rebalance(group)

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> None:
        with self.lock:
            log = self._log_of(topic)[partition]
            log.append(Record(topic, partition, len(log), timestamp_ms, key, value, tuple(headers)))

    def bounds(self, tp: TopicPartition) -> tuple[int, int]:
        return self._start.get(tp, 0), len(self._log_of(tp.topic)[tp.partition])

    def read(self, tp: TopicPartition, offset: int, most: int) -> list[Record]:
        return self.read_on(tp, offset, most)[0]

    def read_on(self, tp: TopicPartition, offset: int, most: int) -> tuple[list[Record], int]:
        """Records from ``offset`` on, and the offset to read next."""
        start, end = self.bounds(tp)
        if not start <= offset <= end:
            raise GapError(f"messages that were not read yet are gone from {tp}: wanted {offset}, there are {start} to {end}")
        following = (record for record in self._log_of(tp.topic)[tp.partition][offset:] if record is not None)
        records = list(itertools.islice(following, most))
        return records, records[-1].offset + 1 if len(records) == most else end

    def _log_of(self, topic: str) -> list[list[Record | None]]:
        if topic not in self._logs:
            raise ConfigurationError(f"topic {topic} does not exist")
        return self._logs[topic]


class MemoryProducer:
    """Keeps ``ports.MessageProducer``."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._next = itertools.count()

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers = (),
        timestamp_ms: int | None = None,
    ) -> None:
        n = len(self._broker.partitions(topic))
        if partition is None:
            partition = (sum(key) if key is not None else next(self._next)) % n
        self._broker.append(topic, partition, key, value, headers, int(wall.time() * 1000) if timestamp_ms is None else timestamp_ms)

    def flush(self) -> None:
        """Everything is in the broker as soon as it is sent."""

    def close(self) -> None:
        """Holds nothing."""


class MemoryConsumer:
    """Keeps ``ports.MessageConsumer``."""

    def __init__(self, broker: MemoryBroker, group: str | None, topics: Sequence[str], listener: RebalanceListener | None) -> None:
        self._broker, self._group, self.topics, self._listener = broker, group, topics, listener
        self.owned: frozenset[TopicPartition] = frozenset()
        self.pending: frozenset[TopicPartition] | None = None
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def poll(self, timeout_seconds: float, max_records: int = 1000) -> Mapping[TopicPartition, Sequence[Record]]:
        deadline = wall.monotonic() + timeout_seconds
        while True:
            self._take_assignment()
            with self._broker.lock:
                found = self._fetch(max_records)
            if found or wall.monotonic() >= deadline:
                return found
            wall.sleep(0.001)

    def assignment(self) -> frozenset[TopicPartition]:
        return self.owned

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    def last_position(self, tp: TopicPartition) -> int | None:
        return self._positions.get(tp)

    def pause(self, tps: Sequence[TopicPartition]) -> None:
        self._paused |= set(tps)

    def resume(self, tps: Sequence[TopicPartition]) -> None:
        self._paused -= set(tps)

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        for tp, offset in offsets.items():
            if tp in self.owned:
                self._broker.committed[(self._group or "", tp)] = offset

    def committed(self, tp: TopicPartition) -> int | None:
        return self._broker.committed.get((self._group or "", tp))

    def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._broker.bounds(tp)[0] for tp in tps}

    def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: self._broker.bounds(tp)[1] for tp in tps}

    def offsets_at(self, tps: Sequence[TopicPartition], time_ms: int) -> dict[TopicPartition, int]:
        found = {}
        for tp in tps:
            start, end = self._broker.bounds(tp)
            later = (record.offset for record in self._broker.read(tp, start, end + 1) if record.timestamp_ms >= time_ms)
            found[tp] = next(later, end)
        return found

    def last_known_end(self, tp: TopicPartition) -> int | None:
        return self._broker.bounds(tp)[1]

    def topic_id(self, topic: str) -> str | None:
        return self._broker.topic_id(topic)

    def close(self) -> None:
        self._broker.leave(self._group or "", self)
        self.owned = frozenset()

    def _take_assignment(self) -> None:
        if self.pending is None:
            return
        new, self.pending = self.pending, None
        gone, came = self.owned - new, new - self.owned
        self.owned = new
        for tp in gone:
            self._positions.pop(tp, None)
            self._paused.discard(tp)
        if gone and self._listener is not None:
            self._listener.on_revoked(gone)
        for tp in came:
            self._positions[tp] = self.committed(tp) or self._broker.bounds(tp)[0]
        if came and self._listener is not None:
            self._listener.on_assigned(came)

    def _fetch(self, max_records: int) -> dict[TopicPartition, list[Record]]:
        found: dict[TopicPartition, list[Record]] = {}
        for tp in sorted(self.owned - self._paused):
            left = max_records - sum(map(len, found.values()))
            if not left:
                break
            if self._broker.topic_id(tp.topic) is None:  # deleted: there is nothing to read for now
                continue
            records, self._positions[tp] = self._broker.read_on(tp, self._positions[tp], left)
            if records:
                found[tp] = records
        return found
