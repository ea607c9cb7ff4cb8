"""What the services need from the world, as promises; ``adapters`` keep them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """As ``put``, but False when the key is taken: of several who try, one succeeds. After a TransientError it is not
        known whether the bytes were stored."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectStat]:
        """Every object whose key starts with ``prefix``, in key order; only those whose key comes after ``after``."""

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

    def close(self) -> None:
        """Let go of the connection; what was sent and not flushed may or may not arrive. Raises TransientError."""


class ReportingProducer(Protocol):
    """Sends messages and says of each what became of it. One that fails may take those along that are under way, and keeps none back
    that is sent once its failure was told. Safe between threads."""

    def partitions(self, topic: str) -> int:
        """How many the broker says now that the topic has. Raises ConfigurationError for one that does not exist or may not be
        written, TransientError."""

    def partition_of(self, topic: str, key: bytes) -> int:
        """Where Kafka's own clients send this key, among the partitions as last heard. Raises as ``partitions`` does."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int,
        key: bytes | None = None,
        headers: Headers = (),
        done: Callable[[Exception | None], None],
    ) -> None:
        """Hand over for sending; those to one partition keep their order while none fails. ``done`` is called once, in whatever
        thread: with None when the broker holds the message, else with a TransientError, MessageTooLarge or ConfigurationError.
        Raises one of these itself when nothing could be handed over, and ``done`` is not called."""

    def close(self) -> None:
        """Let go of the connection; of what was not answered for nothing may be heard any more. Raises TransientError."""


class MessageConsumer(Protocol):
    """Reads messages as a member of a group, or of partitions that it is told.

    Three offsets, not to be confused: the *position* is where this consumer reads next; the *committed* offset is what its group
    has on record, advisory only; the *durable* offset, kept with the reader's own state, is the one to seek to. Nothing is
    committed automatically: seek on every assignment. One thread at a time. What asks the broker (``position``, ``committed``,
    ``commit``, the offsets of beginning and end) raises TransientError when it does not answer.
    """

    def poll(self, timeout_seconds: float, max_records: int = 1000) -> Mapping[TopicPartition, Sequence[Record]]:
        """Rebalance callbacks run inside. Raises TransientError; raises GapError when unread messages have expired."""

    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions that this member owns; changes inside ``poll`` alone. Asks nobody."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        """Read ``tp`` from ``offset`` at the next poll; asks nobody. An offset that the log does not have is found out by that
        poll, which raises GapError. Raises ValueError for a partition that is not assigned."""

    def position(self, tp: TopicPartition) -> int:
        """The offset that is read next: of the record after the last one that ``poll`` gave out, or further on. Control markers
        and records of aborted transactions are offsets without a record, and a log may end in them; so who asks whether an end
        is reached compares this with it. Raises ValueError for a partition that is not assigned."""

    def last_position(self, tp: TopicPartition) -> int | None:
        """The same as far as it is known; None before the first seek, or for a partition that is not assigned. Asks nobody."""

    def pause(self, tps: Sequence[TopicPartition]) -> None:
        """Give nothing of these partitions out while polling goes on, so that the group sees this member alive. Lasts until
        ``resume`` or a rebalance; those that are no longer assigned are passed over."""

    def resume(self, tps: Sequence[TopicPartition]) -> None:
        """Take ``pause`` back, at the position where it stood; those that are not paused or not assigned are passed over."""

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Store the offsets to go on from. A lost membership is no error here: the offsets are advisory."""

    def committed(self, tp: TopicPartition) -> int | None:
        """What the group has on record for ``tp``, by whichever member; None when nothing."""

    def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset that each log still holds; equal to the end when it holds nothing."""

    def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each log ends: the next record that can be read will have at least this offset. An open transaction holds it back.
        Compare it with ``position``, not with offsets of records: a log can end in control records."""

    def offsets_at(self, tps: Sequence[TopicPartition], time_ms: int) -> dict[TopicPartition, int]:
        """The first offset in each log whose record is of this wall time or later; the end when there is none."""

    def last_known_end(self, tp: TopicPartition) -> int | None:
        """The end offset that the last fetch showed; None before the first. Asks nobody."""

    def topic_id(self, topic: str) -> str | None:
        """The id of the incarnation of ``topic`` that ``poll`` reads, as last heard; None when nothing was. Asks nobody.

        A topic that is deleted and made again has another id, which is heard before the first of its records is polled.
        """

    def close(self) -> None:
        """Leave the group at once, committing nothing. Raises TransientError."""


class TopicInfo(NamedTuple):
    """``id``: of this incarnation; a topic that is deleted and made again under its name has another."""

    id: str
    partitions: int


class TopicEnds(NamedTuple):
    """Where the partitions of one incarnation of a topic end: at the offset of the message that each will have next."""

    topic_id: str
    ends: Mapping[int, int]


class Topics(Protocol):
    """Topics for those who read them in no group."""

    def describe(self, names: Sequence[str]) -> Mapping[str, TopicInfo]:
        """Every one of ``names`` as it is now. Raises ConfigurationError naming one that does not exist, TransientError."""

    def reader(self, tps: Sequence[TopicPartition]) -> MessageConsumer:
        """A consumer of exactly these partitions; seek each before the first poll, and close it. Raises TransientError."""


class RebalanceListener(Protocol):
    """Told inside ``poll`` what this member owns; may seek and pause, but ask the broker nothing (it would block itself)."""

    def on_assigned(self, tps: frozenset[TopicPartition]) -> None:
        """These are this member's now, in addition to those that it kept: seek each of them before returning."""

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        """These are no longer this member's, and a peer may own them already: nothing of them may be made durable any more that
        is not fenced."""


class EventPublisher(Protocol):
    """Publishes facts on control topics."""

    def publish(self, topic: str, event: Event, *, key: str, id: str, time: datetime | None = None) -> None:
        """Return once the broker holds the event. Events with one key keep their order.

        Does not retry: a TransientError goes to the caller, who knows whether the work can be repeated.
        """


class Clock(Protocol):
    """The time, so that a decision can be made as of another."""

    def now(self) -> datetime:
        """Wall time, aware, UTC."""


class NamedSchema(NamedTuple):
    """A schema that another one refers to, by the name that stands there."""

    name: str
    text: str


class Schema(NamedTuple):
    """What a registry has under an id. ``references``: all that it needs, those before it that others need."""

    id: int
    type: str  # AVRO, PROTOBUF, JSON
    text: str
    references: tuple[NamedSchema, ...] = ()


class Schemas(Protocol):
    """The schema registry of an installation."""

    def schema(self, id: int) -> Schema:
        """Under an id, which never changes. Raises InvalidMessage for an id that is not known there, or whose schema is too large;
        TransientError when the registry does not answer; ConfigurationError when it refuses this client."""
