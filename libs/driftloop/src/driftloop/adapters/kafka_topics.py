"""Topics of one cluster, for readers in no group; keeps ``ports.Topics``."""

from collections.abc import Mapping, Sequence

from driftloop.adapters.kafka_admin import describe_topics
from driftloop.adapters.kafka_consumer import AssignedConsumer
from driftloop.adapters.kafka_security import Cluster
from driftloop.ports import MessageConsumer, TopicInfo, TopicPartition


class KafkaTopics:
    """Connects anew for every answer and every reader; ``client_id`` is how the broker's log calls them."""

    def __init__(self, bootstrap: str | Cluster, *, client_id: str) -> None:
        self._bootstrap, self._client_id = bootstrap, client_id

    def describe(self, names: Sequence[str]) -> Mapping[str, TopicInfo]:
        return describe_topics(self._bootstrap, names)

    def reader(self, tps: Sequence[TopicPartition]) -> MessageConsumer:
        return AssignedConsumer(self._bootstrap, tps, client_id=self._client_id)
