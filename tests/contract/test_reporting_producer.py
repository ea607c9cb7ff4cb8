"""What every producer keeps that says of each message what became of it, the shipped fake and the real server alike."""

import random
import threading
from collections.abc import Iterator

import pytest
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters import kafka
from driftloop.adapters.kafka_reports import KafkaReportingProducer
from driftloop.adapters.memory import MemoryBroker
from driftloop.adapters.memory_reports import MemoryReportingProducer
from driftloop.contracts.topics import Topic
from driftloop.errors import ConfigurationError, MessageTooLarge
from driftloop.ports import MessageConsumer, Record, ReportingProducer, TopicPartition, Topics

MIB = 1024 * 1024


def records(topics: Topics, topic: str, n: int) -> list[Record]:
    """The first ``n`` of each of its two partitions, partition after partition."""
    tps = [TopicPartition(topic, p) for p in range(2)]
    reader: MessageConsumer = topics.reader(tps)
    found: list[Record] = []
    for tp in tps:
        reader.seek(tp, 0)
    wait_until(lambda: found.extend(r for batch in reader.poll(0.2).values() for r in batch) or len(found) >= n, f"{n} records")
    reader.close()
    return sorted(found, key=lambda r: (r.partition, r.offset))


class ReportingContract:
    def test_each_message_is_answered_for_once_and_those_of_a_partition_keep_their_order(
        self, producer: ReportingProducer, topics: Topics, topic: str
    ) -> None:
        told: list[tuple[int, Exception | None]] = []
        for n in range(100):
            producer.send(
                topic, b"%d" % n, partition=1, key=b"k", headers=(("h", b"1"),), done=lambda failure, n=n: told.append((n, failure))
            )
        wait_until(lambda: len(told) == 100, "100 answers")
        assert sorted(told) == [(n, None) for n in range(100)]
        found = records(topics, topic, 100)
        assert [(r.partition, r.value) for r in found] == [(1, b"%d" % n) for n in range(100)]
        assert (found[0].key, found[0].headers) == (b"k", (("h", b"1"),))

    def test_a_message_without_key_and_value_arrives(self, producer: ReportingProducer, topics: Topics, topic: str) -> None:
        answered = threading.Event()
        producer.send(topic, None, partition=0, headers=(("h", b"1"),), done=lambda _: answered.set())
        assert answered.wait(PATIENCE_SECONDS)
        [found] = records(topics, topic, 1)
        assert (found.key, found.value, found.headers) == (None, None, (("h", b"1"),))

    def test_a_key_has_one_partition_and_keys_have_several(self, producer: ReportingProducer, topic: str) -> None:
        assert producer.partitions(topic) == 2
        keys = [b"k%d" % n for n in range(100)]
        first = [producer.partition_of(topic, key) for key in keys]
        assert first == [producer.partition_of(topic, key) for key in keys]
        assert set(first) == {0, 1}

    def test_a_topic_that_does_not_exist_is_named(self, producer: ReportingProducer, unique: str) -> None:
        with pytest.raises(ConfigurationError, match=rf"topic none-{unique} does not exist"):
            producer.partitions(f"none-{unique}")


class TestMemory(ReportingContract):
    @pytest.fixture
    def topics(self) -> MemoryBroker:
        return MemoryBroker()

    @pytest.fixture
    def topic(self, topics: MemoryBroker) -> str:
        topics.create_topic("t", 2)
        return "t"

    @pytest.fixture
    def producer(self, topics: MemoryBroker) -> ReportingProducer:
        return MemoryReportingProducer(topics)


class TestKafka(ReportingContract):
    @pytest.fixture
    def topics(self, kafka_bootstrap: str) -> Topics:
        return kafka.KafkaTopics(kafka_bootstrap, client_id="test")

    @pytest.fixture
    def topic(self, kafka_bootstrap: str, unique: str) -> str:
        spec = Topic(name=f"t-{unique}", partitions=2, key="", carries="", written_by=(), read_by=(), plane="data")
        kafka.create_topics(kafka_bootstrap, [spec])
        return spec.name

    @pytest.fixture
    def producer(self, kafka_bootstrap: str) -> Iterator[ReportingProducer]:
        producer = KafkaReportingProducer(kafka_bootstrap, client_id="test", max_message_bytes=4 * MIB, delivery_timeout_seconds=60)
        yield producer
        producer.close()

    def test_a_key_goes_where_kafkas_own_clients_send_it(self, producer: ReportingProducer, kafka_bootstrap: str, topic: str) -> None:
        keys = [b"k%d" % n for n in range(30)]
        producer.partitions(topic)
        plain = kafka.Producer(kafka_bootstrap, client_id="test")
        for key in keys:
            plain.send(topic, key, key=key)
        plain.flush()
        plain.close()
        found = {r.key: r.partition for r in kafka.read_topic(kafka_bootstrap, topic)}
        assert found == {key: producer.partition_of(topic, key) for key in keys}

    def test_one_that_the_broker_refuses_does_not_keep_the_next_back(self, producer: ReportingProducer, topics: Topics, topic: str) -> None:
        told: list[Exception | None] = []
        producer.send(topic, random.Random(0).randbytes(3 * MIB), partition=0, done=told.append)  # the topic's limit is 1 MiB
        wait_until(lambda: told, "the refusal")
        assert isinstance(told[0], MessageTooLarge)
        producer.send(topic, b"small", partition=0, done=told.append)
        wait_until(lambda: len(told) == 2, "the next answer")
        assert told[1] is None
        assert [r.value for r in records(topics, topic, 1)] == [b"small"]
