"""Control topics with somebody who writes to them, on the broker in memory and on the real one, for the suites of their readers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.clients import abort_transaction
from tests.support.told_ids import ToldIds
from tests.support.waiting import wait_until

from driftloop.adapters import kafka
from driftloop.adapters.kafka_admin import administered
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.topics import Topic
from driftloop.errors import ConfigurationError
from driftloop.history.checkpoint import Checkpoint
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.ports import MessageProducer, TopicPartition, Topics

EVENT = RetrainRequested(model="m", reason="manual", detail="", requested_by="test")


class World:
    """Two topics of two partitions, and somebody who writes to them."""

    def __init__(
        self,
        topics: Topics,
        producer: MessageProducer,
        create: Callable[[str], None],
        delete: Callable[[str], None],
        abort: Callable[[str, int], None],
        unique: str,
    ):
        """``abort``: leaves so many records of an aborted transaction in the first partition of a topic."""
        self.topics, self.producer, self.create, self.delete, self.abort = topics, producer, create, delete, abort
        self._readers: list[LogReader] = []
        self.names = (f"asked-{unique}", f"run-{unique}")
        for name in self.names:
            create(name)

    def say(self, *ids: str, topic: int = 0, partition: int = 0) -> None:
        for event_id in ids:
            value, headers = encode_event(EVENT, envelope(EVENT, id=event_id, source="test", subject="m"))
            self.producer.send(self.names[topic], value, partition=partition, headers=headers)
        self.producer.flush()

    def say_rubbish(self, topic: int = 0) -> None:
        self.producer.send(self.names[topic], b"rubbish", partition=0)
        self.producer.flush()

    def make_anew(self, topic: int = 0) -> None:
        self.delete(self.names[topic])
        self.create(self.names[topic])

    def reader(self, fold: ToldIds, path: Path | None = None, **options: bool) -> LogReader:
        made = LogReader(self.topics, self.names, Events(fold), checkpoint=None if path is None else Checkpoint(path), **options)
        self._readers.append(made)
        return made

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


class InMemory:
    @pytest.fixture
    def broker(self) -> MemoryBroker:
        return MemoryBroker()

    @pytest.fixture
    def world(self, broker: MemoryBroker, unique: str) -> World:
        def abort(name: str, records: int) -> None:
            broker.abort(TopicPartition(name, 0), records)

        return World(broker, broker.producer(), lambda name: broker.create_topic(name, 2), broker.delete_topic, abort, unique)


class OnKafka:
    @pytest.fixture
    def world(self, kafka_bootstrap: str, unique: str) -> Iterator[World]:
        def create(name: str) -> None:
            spec = Topic(name=name, partitions=2, key="", carries="", written_by=(), read_by=(), plane="control")
            wait_until(lambda: created(spec), f"{name} to be made")

        def created(spec: Topic) -> bool:
            kafka.create_topics(kafka_bootstrap, [spec])
            try:
                return kafka.partitions_of(kafka_bootstrap, spec.name) == 2
            except ConfigurationError:  # it is still being deleted
                return False

        def delete(name: str) -> None:
            with administered(kafka_bootstrap, "deleting a topic") as admin:
                admin.delete_topics([name])

        def abort(name: str, records: int) -> None:
            abort_transaction(kafka_bootstrap, name, records)

        producer = kafka.Producer(kafka_bootstrap, client_id="test")
        made = World(kafka.KafkaTopics(kafka_bootstrap, client_id="test"), producer, create, delete, abort, unique)
        yield made
        made.close()
        producer.close()
