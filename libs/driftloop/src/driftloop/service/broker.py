"""Clients of the broker under the name of this instance."""

from collections.abc import Iterable, Sequence

from driftloop.adapters import kafka
from driftloop.adapters.kafka import AssignedConsumer, GroupConsumer, Producer
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.topics import Topic
from driftloop.ports import MessageConsumer, MessageProducer, RebalanceListener, TopicPartition, Topics


class Broker:
    """Connects when it is asked for something. Everything raises TransientError when the broker does not answer."""

    def __init__(self, bootstrap: str | Cluster, instance: str) -> None:
        self.bootstrap, self._instance = bootstrap, instance

    def check(self, topics: Iterable[Topic]) -> None:
        """Raises ConfigurationError naming the first topic that is missing or whose settings contradict the table."""
        kafka.check_topics(self.bootstrap, topics)

    def partitions_of(self, topic: str) -> int:
        """Raises ConfigurationError when there is no such topic."""
        return kafka.partitions_of(self.bootstrap, topic)

    def topic_id(self, topic: str) -> str:
        """Of the topic as it is now: offsets start again when it is made anew. Raises ConfigurationError when there is none."""
        return kafka.topic_id(self.bootstrap, topic)

    def topics(self, purpose: str) -> Topics:
        """For readers of control topics, under a name that says what for."""
        return kafka.KafkaTopics(self.bootstrap, client_id=f"{self._instance}-{purpose}")

    def producer(self, *, delivery_timeout_seconds: float = 60) -> MessageProducer:
        """In order, and lost for good after a failed delivery: whose order matters ends the process then."""
        return Producer(self.bootstrap, client_id=self._instance, delivery_timeout_seconds=delivery_timeout_seconds)

    def reader(self, tps: Sequence[TopicPartition]) -> MessageConsumer:
        """Of these partitions, in no group; the caller seeks each of them before the first poll."""
        return AssignedConsumer(self.bootstrap, tps, client_id=f"{self._instance}-reader")

    def member(
        self, group: str, topics: Sequence[str], *, listener: RebalanceListener | None = None, max_poll_interval_seconds: float = 300
    ) -> MessageConsumer:
        """A member of ``group``. The ``listener`` seeks what it is assigned; without one, the committed offsets count."""
        return GroupConsumer(
            self.bootstrap,
            group=group,
            topics=topics,
            listener=listener,
            client_id=self._instance,
            max_poll_interval_seconds=max_poll_interval_seconds,
        )
