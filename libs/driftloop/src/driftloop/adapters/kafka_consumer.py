"""Reading from Kafka, as a member of a group or of partitions told."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import (
    CommitFailedError,
    IllegalStateError,
    RebalanceInProgressError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
)
from kafka.structs import OffsetAndMetadata

from driftloop.adapters.kafka_clients import connected
from driftloop.adapters.kafka_errors import translated
from driftloop.adapters.kafka_records import BytesOfPoll, EnoughForNow, read_records_so
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.headers import Headers
from driftloop.errors import TransientError
from driftloop.ports import RebalanceListener, Record, TopicPartition

read_records_so()

FETCH_BYTES = 16 * 1024 * 1024
# How long the broker holds a fetch when there is nothing: a message ends the wait at once. A member of a group pauses and
# resumes partitions, and one that is resumed is asked for when the fetch before is over; a follower only loses time by asking.
GROUP_WAIT_MS, FOLLOWER_WAIT_MS = 50, 500
REFUSED_SECONDS = 0.5  # before a client that the broker refuses is polled again
JOIN_SECONDS = 1.0  # what a poll takes at most when a join is under way: nothing is assigned then, so nothing else waits


def _record(r: Any, known: dict[int, tuple[object, Headers]]) -> Record:
    """``known``: headers by the list that kafka-python gave, which `kafka_records` makes once for a run of equal ones."""
    found = r.headers
    if not found:
        return Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, ())
    before = known.get(id(found))
    if before is None:  # the list is kept, so that its id stays its own
        before = known[id(found)] = (found, tuple((name, value or b"") for name, value in found))  # null in Kafka is empty to us
    return Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, before[1])


class _Consumer:
    """What both kinds share; keeps ``ports.MessageConsumer``."""

    _inner: KafkaConsumer

    def _connect(self, where: str | Cluster, **settings: object) -> None:
        self._inner = connected(KafkaConsumer, where, **settings)
        self._bytes = BytesOfPoll(self._inner)

    def poll(self, timeout_seconds: float, max_records: int = 1000) -> Mapping[TopicPartition, Sequence[Record]]:
        with translated("reading from Kafka"):
            self._bytes.start()
            try:
                polled = self._inner.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
            except EnoughForNow:  # of the poll before
                polled = self._inner.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
            except SaslAuthenticationFailedError:  # told in the log by `kafka_clients`; the next connection reads the files again
                time.sleep(min(timeout_seconds, REFUSED_SECONDS))
                polled = {}
            if not polled:
                self._check_rights()
        known: dict[int, tuple[object, Headers]] = {}
        return {TopicPartition(tp.topic, tp.partition): [_record(r, known) for r in records] for tp, records in polled.items()}

    def _check_rights(self) -> None:
        """kafka-python waits for ever for a topic that it may not see."""
        hidden = self._inner._cluster.unauthorized_topics
        if hidden:
            raise TopicAuthorizationFailedError(set(hidden))

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition(tp.topic, tp.partition) for tp in self._inner.assignment())

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._inner.seek(KafkaPartition(*tp), offset)

    def position(self, tp: TopicPartition) -> int:
        with translated(f"asking for the position in {tp}"):
            return int(self._inner.position(KafkaPartition(*tp)))

    def pause(self, tps: Sequence[TopicPartition]) -> None:
        # A partition may have been revoked since the caller looked; there is nothing left to pause then.
        with contextlib.suppress(IllegalStateError):
            self._inner.pause(*(KafkaPartition(*tp) for tp in tps))

    def resume(self, tps: Sequence[TopicPartition]) -> None:
        with contextlib.suppress(IllegalStateError):
            self._inner.resume(*(KafkaPartition(*tp) for tp in tps))

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        with translated("committing offsets"), contextlib.suppress(CommitFailedError, RebalanceInProgressError):
            self._inner.commit({KafkaPartition(*tp): OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()})

    def committed(self, tp: TopicPartition) -> int | None:
        with translated(f"asking for the committed offset of {tp}"):
            offset = self._inner.committed(KafkaPartition(*tp))
        return None if offset is None else int(offset)

    def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        with translated("asking for beginning offsets"):
            found = self._inner.beginning_offsets([KafkaPartition(*tp) for tp in tps])
        return {TopicPartition(tp.topic, tp.partition): int(offset) for tp, offset in found.items()}

    def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        with translated("asking for end offsets"):
            found = self._inner.end_offsets([KafkaPartition(*tp) for tp in tps])
        return {TopicPartition(tp.topic, tp.partition): int(offset) for tp, offset in found.items()}

    def offsets_at(self, tps: Sequence[TopicPartition], time_ms: int) -> dict[TopicPartition, int]:
        ends = self.end_offsets(tps)
        with translated("asking for offsets by time"):
            found = self._inner.offsets_for_times({KafkaPartition(*tp): time_ms for tp in tps})
        known = {TopicPartition(tp.topic, tp.partition): at for tp, at in found.items() if at is not None}
        return {tp: int(known[tp].offset) if tp in known else end for tp, end in ends.items()}

    def last_known_end(self, tp: TopicPartition) -> int | None:
        end = self._inner.highwater(KafkaPartition(*tp))
        return None if end is None else int(end)

    def last_position(self, tp: TopicPartition) -> int | None:
        partition = KafkaPartition(*tp)
        if not self._inner._subscription.is_assigned(partition):
            return None
        position = self._inner._subscription.assignment[partition].position
        return None if position is None else int(position.offset)

    def topic_id(self, topic: str) -> str | None:
        found = self._inner._cluster.topic_id(topic)  # of the last metadata; fetches name topics by it
        return None if found is None else str(found)

    def close(self) -> None:
        with translated("closing a consumer"):
            self._inner.close(autocommit=False)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, listener: RebalanceListener | None, consumer: "GroupConsumer") -> None:
        self._listener, self._consumer = listener, consumer

    def on_partitions_assigned(self, assigned: Sequence[KafkaPartition]) -> None:
        tps = frozenset(TopicPartition(tp.topic, tp.partition) for tp in assigned)
        if self._listener is None:
            self._consumer.begin_later(tps)
        else:
            self._listener.on_assigned(tps)

    def on_partitions_revoked(self, revoked: Sequence[KafkaPartition]) -> None:
        if self._listener is not None:
            self._listener.on_revoked(frozenset(TopicPartition(tp.topic, tp.partition) for tp in revoked))


class GroupConsumer(_Consumer):
    """A member of ``group``. The listener must seek every partition it is assigned; without a listener the consumer goes
    on from the committed offsets, or from the beginning of a partition that has none."""

    def __init__(
        self,
        bootstrap: str | Cluster,
        *,
        group: str,
        topics: Sequence[str],
        listener: RebalanceListener | None = None,
        client_id: str,
        max_poll_interval_seconds: float = 300,
        session_timeout_seconds: float = 10,
    ) -> None:
        self._unplaced: frozenset[TopicPartition] = frozenset()
        with translated("connecting to Kafka"):
            self._connect(
                bootstrap,
                **_common(client_id, GROUP_WAIT_MS),
                group_id=group,
                session_timeout_ms=int(session_timeout_seconds * 1000),
                heartbeat_interval_ms=int(session_timeout_seconds * 1000 / 4),
                max_poll_interval_ms=int(max_poll_interval_seconds * 1000),
            )
            try:
                self._inner.subscribe(list(topics), listener=_Listener(listener, self))
                self._know(topics)
            except BaseException:
                self._inner.close(autocommit=False)
                raise

    def _know(self, topics: Sequence[str]) -> None:
        """Fetch the topics' metadata before joining: a kafka-python leader that assigns without it gives its group nothing,
        and does not notice when the metadata comes in meanwhile."""
        unknown = [topic for topic in topics if not self._inner.partitions_for_topic(topic)]
        self._check_rights()
        if unknown:
            raise TransientError(f"topic {unknown[0]} has no partitions that the broker knows of")

    def poll(self, timeout_seconds: float, max_records: int = 1000) -> Mapping[TopicPartition, Sequence[Record]]:
        if self._is_joining():
            timeout_seconds = max(timeout_seconds, JOIN_SECONDS)
        polled = super().poll(timeout_seconds, max_records)
        if self._unplaced:
            self._seek_to_committed()
        return polled

    def _is_joining(self) -> bool:
        """Whether a poll before this one began to join the group and did not see the end of it.

        kafka-python 3.0 forgets a join that it began because a topic got more partitions: the leader's answer makes the reason go
        away, so the next poll does not look for the join that is under way, and the member stays out of its group for good. And
        one that ends between two polls is begun anew, so polls that are too short never see one end.
        """
        coordinator = self._inner._coordinator
        if coordinator._join_task is None:
            return False
        coordinator.rejoin_needed = True
        return True

    def begin_later(self, tps: frozenset[TopicPartition]) -> None:
        """Called inside the rebalance, where asking the broker is not possible: hold the partitions until after the poll."""
        self._unplaced |= tps
        for tp in tps:
            self.seek(tp, 0)  # a place to stand; paused, so nothing is read from there
        self.pause(list(tps))

    def _seek_to_committed(self) -> None:
        tps = list(self._unplaced & self.assignment())
        beginnings = self.beginning_offsets(tps) if tps else {}
        for tp in tps:
            offset = self.committed(tp)
            self.seek(tp, beginnings[tp] if offset is None else offset)
        self.resume(tps)
        self._unplaced = frozenset()


class AssignedConsumer(_Consumer):
    """Reads the partitions it is told, in no group; the caller seeks each of them before the first poll."""

    def __init__(self, bootstrap: str | Cluster, partitions: Sequence[TopicPartition], *, client_id: str) -> None:
        with translated("connecting to Kafka"):
            self._connect(bootstrap, **_common(client_id, FOLLOWER_WAIT_MS))
            self._inner.assign([KafkaPartition(*tp) for tp in partitions])


def _common(client_id: str, fetch_wait_ms: int) -> dict[str, object]:
    return {
        "client_id": client_id,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",  # unread data that expired is a loud gap, never a silent one
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        "max_partition_fetch_bytes": FETCH_BYTES,
        "fetch_max_wait_ms": fetch_wait_ms,
        "metadata_max_age_ms": 30_000,
        "reconnect_backoff_max_ms": 2_000,
    }
