"""Topics: made from the table in ``contracts.topics``, compared with it, and read to their end."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, TopicAlreadyExistsError, TopicAuthorizationFailedError

from driftloop.adapters.kafka_clients import connected
from driftloop.adapters.kafka_consumer import AssignedConsumer
from driftloop.adapters.kafka_errors import translated
from driftloop.adapters.kafka_replicas import Replicas, check_replicas
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.topics import Topic
from driftloop.errors import ConfigurationError
from driftloop.ports import Record, TopicInfo, TopicPartition
from driftloop.telemetry import get_logger

_DEFAULT = -1  # the broker's default.replication.factor

log = get_logger(__name__)


@contextmanager
def administered(bootstrap: str | Cluster, doing: str) -> Iterator[Any]:
    """kafka-python's admin client for the length of the block."""
    with translated(doing):
        client = connected(KafkaAdminClient, bootstrap, client_id="driftloop-admin")
        try:
            yield client
        finally:
            client.close()


def create_topics(bootstrap: str | Cluster, topics: Iterable[Topic], *, replication: int | None = None, alter: bool = True) -> None:
    """Create those that are missing, and set the settings of existing ones as the table has them, unless ``alter`` is false.

    ``replication``: brokers that hold each new one; None: as many as the broker makes by default. Raises ConfigurationError
    when there are not so many. Topics that somebody else has are left alone.
    """
    wanted = [topic for topic in topics if not topic.existing]
    with administered(bootstrap, "creating topics") as admin:
        existing = set(admin.list_topics())
        missing = {
            t.name: {"num_partitions": t.partitions, "replication_factor": replication or _DEFAULT, "configs": t.config}
            for t in wanted
            if t.name not in existing
        }
        if missing:
            try:
                admin.create_topics(missing, wait_for_metadata=True)
            except InvalidReplicationFactorError as exc:
                raise ConfigurationError(
                    f"topics cannot have {replication} replicas: {exc}; set REPLICATION to what the cluster has"
                ) from exc
            except TopicAlreadyExistsError:  # another process was faster
                admin.wait_for_topics([t.name for t in wanted])
        present = [t for t in wanted if t.name in existing] if alter else []
        for name, settings in _differing(admin, present).items():
            log.info("topic-altered", topic=name, settings=settings)
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs=settings)])


def add_partitions(bootstrap: str | Cluster, wanted: Mapping[str, int]) -> dict[str, int]:
    """Give each topic so many partitions, in the order told; one that has as many or more stays. Returns how many each had.

    Raises ConfigurationError naming one that does not exist, TransientError.
    """
    before = {name: info.partitions for name, info in describe_topics(bootstrap, list(wanted)).items()}
    with administered(bootstrap, "adding partitions") as admin:
        for name, partitions in wanted.items():
            if before[name] < partitions:
                admin.create_partitions({name: partitions})
                log.info("topic-grown", topic=name, before=before[name], after=partitions)
    return before


def check_topics(bootstrap: str | Cluster, topics: Iterable[Topic], *, replication: int | None = None) -> None:
    """Raises ConfigurationError naming the first topic that is missing, whose settings contradict the table, or that has fewer
    replicas than ``replication`` asks for. Says in the log which are less safe than they could be."""
    wanted = list(topics)
    with administered(bootstrap, "checking topics") as admin:
        described = _described(admin, [topic.name for topic in wanted])
        for topic in wanted:
            found = described.get(topic.name)
            if found is None and topic.existing:
                raise ConfigurationError(f"topic {topic.name}, which the project names, does not exist, and only who owns it makes it")
            if found is None:
                raise ConfigurationError(f"topic {topic.name} does not exist; create it with: driftloop up --project DIR")
            if len(found["partitions"]) < topic.partitions and topic.plane == "control" and topic.partitions == 1:
                raise ConfigurationError(f"topic {topic.name} has {len(found['partitions'])} partitions, needs {topic.partitions}")
            if topic.partitions == 1 and len(found["partitions"]) != 1:
                raise ConfigurationError(f"topic {topic.name} has {len(found['partitions'])} partitions, but its order needs exactly 1")
        wanted = [topic for topic in wanted if not topic.existing]  # how others are set is their owners' affair
        differing = _differing(admin, wanted)
        configs = _configs(admin, [t.name for t in wanted])
        brokers = len(admin.describe_cluster()["brokers"])
    for name, settings in differing.items():
        setting, value = next(iter(settings.items()))
        raise ConfigurationError(
            f"topic {name}: {setting} is {configs[name].get(setting)}, needs {value}; set it right with: driftloop up --project DIR, "
            f"or kafka-configs --alter --topic {name} --add-config {','.join(f'{key}={right}' for key, right in settings.items())}"
        )
    for topic in wanted:
        fewest = min(len(partition["replica_nodes"]) for partition in described[topic.name]["partitions"])
        found_replicas = Replicas(fewest, int(configs[topic.name]["min.insync.replicas"]), brokers)
        unsafe = check_replicas(topic.name, found_replicas, replication)
        if unsafe is not None:
            log.warning("topic-unsafe", topic=topic.name, reason=unsafe)


def _described(admin: Any, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Those that exist. Raises kafka-python's error for one that this user may not see, which is not one that is missing."""
    answers = admin.describe_topics(list(names)) if names else []
    hidden = {t["name"] for t in answers if t["error_code"] == TopicAuthorizationFailedError.errno}
    if hidden:
        raise TopicAuthorizationFailedError(hidden)
    return {t["name"]: t for t in answers if t["partitions"]}


def _differing(admin: Any, topics: list[Topic]) -> dict[str, dict[str, str]]:
    """By topic, the settings that the broker shows otherwise, as they should be."""
    configs = _configs(admin, [t.name for t in topics])
    found = {t.name: {key: value for key, value in t.config.items() if configs[t.name].get(key) != value} for t in topics}
    return {name: settings for name, settings in found.items() if settings}


def _configs(admin: Any, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names], config_filter="all")
    topics = described.get("topic", described)
    return {name: {key: str(entry["value"]) for key, entry in topics[name].items()} for name in names}


def topic_settings(bootstrap: str | Cluster, topic: str) -> dict[str, str]:
    """As the broker has them. Raises ConfigurationError for a user who may not see them, TransientError."""
    with administered(bootstrap, f"describing the settings of {topic}") as admin:
        return _configs(admin, [topic])[topic]


def topic_id(bootstrap: str | Cluster, topic: str) -> str:
    """The id of this incarnation of the topic. Raises ConfigurationError when it does not exist."""
    return describe_topics(bootstrap, [topic])[topic].id


def partitions_of(bootstrap: str | Cluster, topic: str) -> int:
    """Raises ConfigurationError when it does not exist."""
    return describe_topics(bootstrap, [topic])[topic].partitions


def describe_topics(bootstrap: str | Cluster, topics: Sequence[str]) -> dict[str, TopicInfo]:
    """Each by its name. Raises ConfigurationError naming one that does not exist, TransientError."""
    with administered(bootstrap, f"describing {', '.join(topics)}") as admin:
        found = {name: TopicInfo(str(t["topic_id"]), len(t["partitions"])) for name, t in _described(admin, topics).items()}
    for topic in topics:
        if topic not in found:
            raise ConfigurationError(f"topic {topic} does not exist")
    return found


def read_topic(bootstrap: str | Cluster, topic: str, *, start: Mapping[int, int] | None = None) -> list[Record]:
    """Everything in the topic up to its end at the time of the call, from ``start`` (by partition) or the beginning."""
    return list(stream_topic(bootstrap, topic, start=start))


def stream_topic(bootstrap: str | Cluster, topic: str, *, start: Mapping[int, int] | None = None) -> Generator[Record, None, None]:
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
