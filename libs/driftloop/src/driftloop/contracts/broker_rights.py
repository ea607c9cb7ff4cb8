"""Who may do what on a broker that allows nobody by default: it follows from the tables of services and topics."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from driftloop.contracts import topics
from driftloop.contracts.existing_topics import OURS, ExistingTopics
from driftloop.contracts.services import INGEST, MONITOR, SERVICES
from driftloop.contracts.topics import CONTROL_TOPICS, Topic, stream_topics
from driftloop.contracts.values import Part

Resource = Literal["topic", "group", "cluster"]
Operation = Literal["read", "write", "create", "alter", "describe", "describe-configs", "alter-configs"]

APPLICATIONS, CLI = "applications", "cli"
USERS = (*SERVICES, CLI, APPLICATIONS)
CLUSTER = "kafka-cluster"  # what Kafka calls the cluster as a resource

# In the table of topics, people and what acts for them have names of their own; they come by the commands.
_BY_COMMANDS = {"CLI", "CI", "schedule", "people"}
_KEEPS_TOPICS: tuple[Operation, ...] = ("create", "alter", "alter-configs")


class BrokerRight(Part, frozen=True, kw_only=True, order=True):
    """One right of one user. ``user``: a service, ``cli`` or ``applications``."""

    user: str
    resource: Resource
    name: str
    operation: Operation


class Quota(Part, frozen=True, kw_only=True):
    """What a user may write and read, in bytes a second of each broker."""

    user: str
    produce: int
    consume: int


def rights(streams: Iterable[str], existing: Mapping[str, ExistingTopics] = MappingProxyType({})) -> tuple[BrokerRight, ...]:
    """Of every user, for the control topics and those of these streams, in order and each once. ``existing``: by stream, which
    of its topics are somebody else's: these are read, and nothing more."""
    found = {right for topic in CONTROL_TOPICS for right in _of_topic(topic)}
    found |= {_right(service.name, "group", service.name, "read") for service in SERVICES.values() if not service.for_project}
    for stream in streams:
        found |= set(_of_stream(stream, existing.get(stream, OURS)))
    found |= {_right(CLI, "cluster", CLUSTER, operation) for operation in ("describe", "alter")}  # rights, of streams yet to come
    return tuple(sorted(found))


def quotas(streams: Iterable[str], partitions: int = 4) -> tuple[Quota, ...]:
    """Bounds that the work never needs: each second a message of the largest size to, and two from, each partition of its topics.

    ``partitions``: of a stream's topics. They keep one user's mistake from taking the broker from all others.
    """
    known = [*CONTROL_TOPICS, *(topic for stream in streams for topic in stream_topics(stream, partitions))]

    def most(user: str, side: Literal["read_by", "written_by"]) -> int:
        return sum(topic.partitions * topic.max_message_bytes for topic in known if user in _users(getattr(topic, side)))

    return tuple(
        Quota(user=user, produce=max(most(user, "written_by"), topics.MIB), consume=max(2 * most(user, "read_by"), topics.MIB))
        for user in USERS
    )


def _of_stream(stream: str, existing: ExistingTopics) -> Iterator[BrokerRight]:
    known = stream_topics(stream, existing=existing)
    for topic in known:
        yield from _of_topic(topic)
        if topic.existing:
            continue
        for operation in ("read", "write", *_KEEPS_TOPICS):  # registering, growing, replaying and accounting for a stream
            yield _right(CLI, "topic", topic.name, operation)
    for service in SERVICES.values():
        if service.for_project:
            yield _right(service.name, "group", f"{service.name}-{stream}", "read")
            for topic in known:  # where the others' topics end, and which incarnation they are
                yield _right(service.name, "topic", topic.name, "describe")
    yield _right(INGEST.name, "group", f"shadow-{stream}", "read")  # of the process that scores for a challenger
    for table in (topics.FOLDS, topics.ASSEMBLIES):
        for operation in ("read", "write", "describe", "describe-configs", *_KEEPS_TOPICS):
            yield _right(MONITOR.name, "topic", topics.changelog(stream, table), operation)


def _of_topic(topic: Topic) -> Iterator[BrokerRight]:
    for user in _users(topic.read_by):
        yield _right(user, "topic", topic.name, "read")
    for user in _users(topic.written_by if not topic.existing else ()):
        yield _right(user, "topic", topic.name, "write")
    for user in _users((*topic.read_by, *(topic.written_by if not topic.existing else ()))):
        yield _right(user, "topic", topic.name, "describe")
        if user in SERVICES:  # it compares the topic with the table when it starts
            yield _right(user, "topic", topic.name, "describe-configs")
    for operation in ("read", "describe", "describe-configs", *(_KEEPS_TOPICS if not topic.existing else ())):
        yield _right(CLI, "topic", topic.name, operation)


def _users(named: Iterable[str]) -> set[str]:
    return {CLI if name in _BY_COMMANDS else name for name in named}


def _right(user: str, resource: Resource, name: str, operation: str) -> BrokerRight:
    return BrokerRight(user=user, resource=resource, name=name, operation=operation)  # type: ignore[arg-type]
