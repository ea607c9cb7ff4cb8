"""Topics: made from the table in ``contracts.topics``, compared with it, and read to their end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import TopicAlreadyExistsError

from driftloop.adapters.kafka_consumer import AssignedConsumer
from driftloop.adapters.kafka_errors import translated
from driftloop.contracts.topics import Topic
from driftloop.errors import ConfigurationError
from driftloop.ports import Record, TopicInfo, TopicPartition


@contextmanager
def _admin(bootstrap: str, doing: str) -> Iterator[Any]:
    with translated(doing):
        client = KafkaAdminClient(bootstrap_servers=bootstrap.split(","), client_id="driftloop-admin")
        try:
            yield client
        finally:
            client.close()


def create_topics(bootstrap: str, topics: Iterable[Topic], *, replication: int = 1) -> None:
    """Create those that are missing; existing ones are left as they are (``check_topics`` compares them)."""
    wanted = list(topics)
    with _admin(bootstrap, "creating topics") as admin:
        existing = set(admin.list_topics())
        missing = {
            t.name: {"num_partitions": t.partitions, "replication_factor": replication, "configs": t.config}
            for t in wanted
            if t.name not in existing
        }
        if missing:
            try:
                admin.create_topics(missing, wait_for_metadata=True)
            except TopicAlreadyExistsError:  # another process was faster
                admin.wait_for_topics([t.name for t in wanted])


def check_topics(bootstrap: str, topics: Iterable[Topic]) -> None:
    """Raises ConfigurationError naming the first topic that is missing or whose settings contradict the table."""
    wanted = list(topics)
    with _admin(bootstrap, "checking topics") as admin:
        described = {t["name"]: t for t in admin.describe_topics()}
        for topic in wanted:
            found = described.get(topic.name)
            if found is None:
                raise ConfigurationError(f"topic {topic.name} does not exist; create it with: driftloop up, or driftloop topics create")
            if len(found["partitions"]) < topic.partitions and topic.plane == "control" and topic.partitions == 1:
                raise ConfigurationError(f"topic {topic.name} has {len(found['partitions'])} partitions, needs {topic.partitions}")
            if topic.partitions == 1 and len(found["partitions"]) != 1:
                raise ConfigurationError(f"topic {topic.name} has {len(found['partitions'])} partitions, but its order needs exactly 1")
        configs = _configs(admin, [t.name for t in wanted])
    for topic in wanted:
        for setting, value in topic.config.items():
            actual = configs[topic.name].get(setting)
            if actual != value:
                raise ConfigurationError(f"topic {topic.name}: {setting} is {actual}, needs {value}; alter it with kafka-configs")


def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names], config_filter="all")
    topics = described.get("topic", described)
    return {name: {key: str(entry["value"]) for key, entry in topics[name].items()} for name in names}


def topic_id(bootstrap: str, topic: str) -> str:
    """The id of this incarnation of the topic. Raises ConfigurationError when it does not exist."""
    return describe_topics(bootstrap, [topic])[topic].id


def partitions_of(bootstrap: str, topic: str) -> int:
    """Raises ConfigurationError when it does not exist."""
    return describe_topics(bootstrap, [topic])[topic].partitions


def describe_topics(bootstrap: str, topics: Sequence[str]) -> dict[str, TopicInfo]:
    """Each by its name. Raises ConfigurationError naming one that does not exist, TransientError."""
    with _admin(bootstrap, f"describing {', '.join(topics)}") as admin:
        found = {t["name"]: TopicInfo(str(t["topic_id"]), len(t["partitions"])) for t in admin.describe_topics(list(topics))}
    for topic in topics:
        if topic not in found or not found[topic].partitions:
            raise ConfigurationError(f"topic {topic} does not exist")
    return found


def read_topic(bootstrap: str, topic: str, *, start: Mapping[int, int] | None = None) -> list[Record]:
    """Everything in the topic up to its end at the time of the call, from ``start`` (by partition) or the beginning."""
    return list(stream_topic(bootstrap, topic, start=start))


def stream_topic(bootstrap: str, topic: str, *, start: Mapping[int, int] | None = None) -> Iterator[Record]:
    """The same one by one, for topics that do not fit into memory; the end is that at the time of the first record."""
    tps = [TopicPartition(topic, p) for p in range(partitions_of(bootstrap, topic))]
    consumer = AssignedConsumer(bootstrap, tps, client_id="driftloop-reader")
    try:
        ends, at = consumer.end_offsets(tps), consumer.beginning_offsets(tps)
        for tp in tps:
            at[tp] = max(at[tp], (start or {}).get(tp.partition, 0))
            consumer.seek(tp, at[tp])
        while any(at[tp] < ends[tp] for tp in tps):
            for tp, batch in consumer.poll(1.0, max_records=5000).items():
                yield from (r for r in batch if r.offset < ends[tp])
            at = {tp: consumer.position(tp) for tp in tps}
    finally:
        consumer.close()
