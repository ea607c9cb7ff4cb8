"""What the services need from the world, as promises; ``adapters`` keep them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from driftloop.contracts.events import Event
from driftloop.contracts.headers import Headers


class ObjectStat(NamedTuple):
    """Size in bytes and time of the last write (aware)."""

    key: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """Bytes under keys. All methods raise TransientError when the store cannot be reached, is busy or broken,
    ConfigurationError when it refuses the credentials or the bucket does not exist."""

    def put(self, key: str, data: bytes) -> None:
        """Return once the store holds the bytes durably. Keys are content-addressed by convention: writing one twice is harmless."""

    def get(self, key: str) -> bytes:
        """Raises ObjectNotFound."""

    def stat(self, key: str) -> ObjectStat:
        """Raises ObjectNotFound."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Every object whose key starts with ``prefix``, in key order."""

    def delete(self, key: str) -> None:
        """Deleting what is not there is no error."""


class TopicPartition(NamedTuple):
    topic: str
    partition: int


class Record(NamedTuple):
    """One message as the broker keeps it. ``timestamp_ms`` is the broker's or producer's wall time."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class MessageProducer(Protocol):
    """Sends messages; those to one partition keep their order."""

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
        """Hand over for sending; not durable before ``flush``. A key or a value must be there.

        Raises TransientError if an earlier one has failed, MessageTooLarge for one that no broker would take.
        """

    def flush(self) -> None:
        """Return once the broker holds everything that was sent. Raises TransientError if anything was not delivered, or
        MessageTooLarge if that was why: later messages of that partition may have been, so the process must not go on as if in order."""

    def close(self) -> None: ...


class MessageConsumer(Protocol):
    """Reads messages as a member of a group, or of partitions that it is told.

    Offsets are not committed automatically, and the committed ones are advisory: seek on every assignment.
    """

    def poll(self, timeout_seconds: float, max_records: int = 1000) -> Mapping[TopicPartition, Sequence[Record]]:
        """Rebalance callbacks run inside. Raises TransientError; raises GapError when unread messages have expired."""

    def assignment(self) -> frozenset[TopicPartition]: ...

    def seek(self, tp: TopicPartition, offset: int) -> None: ...

    def position(self, tp: TopicPartition) -> int:
        """The offset that is read next. Not that of the last record and one: control markers and records of aborted
        transactions are offsets too, and a log may end in them. So who asks whether an end is reached compares this with it."""

    def last_position(self, tp: TopicPartition) -> int | None:
        """The same as far as it is known; None before the first seek, or for a partition that is not assigned. Asks nobody."""

    def pause(self, tps: Sequence[TopicPartition]) -> None: ...

    def resume(self, tps: Sequence[TopicPartition]) -> None: ...

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the offsets to go on from. A lost membership is no error here: the offsets are advisory."""

    def committed(self, tp: TopicPartition) -> int | None: ...

    def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]: ...

    def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]: ...

    def last_known_end(self, tp: TopicPartition) -> int | None:
        """The end offset that the last fetch showed; None before the first. Asks nobody."""

    def close(self) -> None: ...


class RebalanceListener(Protocol):
    """Told inside ``poll`` what this member owns; may seek and pause, but ask the broker nothing (it would block itself)."""

    def on_assigned(self, tps: frozenset[TopicPartition]) -> None: ...

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None: ...


class EventPublisher(Protocol):
    def publish(self, topic: str, event: Event, *, key: str, id: str, time: datetime | None = None) -> None:
        """Return once the broker holds the event. Events with one key keep their order.

        Does not retry: a TransientError goes to the caller, who knows whether the work can be repeated.
        """


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time, aware, UTC."""
