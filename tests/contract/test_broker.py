"""What every broker keeps towards producers and consumers, the shipped fake and the real server alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest
from tests.support.clients import abort_transaction
from tests.support.waiting import wait_until

from driftloop.adapters import kafka, kafka_producer
from driftloop.adapters.kafka_records import HeaderKey
from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.topics import Topic
from driftloop.errors import ConfigurationError, TransientError
from driftloop.history.record_ends import ends_of_records
from driftloop.ports import MessageConsumer, MessageProducer, RebalanceListener, Record, TopicPartition, Topics

Member = Callable[..., MessageConsumer]


class Seeking:
    """A listener that starts every partition from an offset of its own, as the services do."""

    def __init__(self, offset: int) -> None:
        self.offset, self.consumer, self.revoked = offset, None, frozenset()

    def on_assigned(self, tps: frozenset[TopicPartition]) -> None:
        for tp in tps:
            self.consumer.seek(tp, self.offset)

    def on_revoked(self, tps: frozenset[TopicPartition]) -> None:
        self.revoked |= tps


def read(consumer: MessageConsumer, n: int) -> list[Record]:
    records: list[Record] = []

    def enough() -> bool:
        for batch in consumer.poll(0.2).values():
            records.extend(batch)
        return len(records) >= n

    wait_until(enough, f"{n} records")
    return records


class BrokerContract:
    def test_records_of_a_partition_come_in_order_with_key_value_and_headers(self, topic, producer: MessageProducer, member: Member):
        for n in range(50):
            producer.send(topic, b"%d" % n, key=b"k", partition=1, headers=(("h", b"1"), ("h", b"2")), timestamp_ms=1000 + n)
        producer.flush()
        records = read(member(), 50)
        assert [r.value for r in records] == [b"%d" % n for n in range(50)]
        assert [r.offset for r in records] == list(range(50))
        assert records[3] == Record(topic, 1, 3, 1003, b"k", b"3", (("h", b"1"), ("h", b"2")))

    def test_a_null_value_arrives_as_null(self, topic, producer: MessageProducer, member: Member):
        producer.send(topic, None, key=b"k", partition=0)
        producer.flush()
        assert read(member(), 1)[0].value is None

    def test_a_new_member_goes_on_from_the_committed_offset(self, topic, producer: MessageProducer, member: Member):
        for n in range(10):
            producer.send(topic, b"%d" % n, partition=0)
        producer.flush()
        first = member()
        read(first, 10)
        first.commit({TopicPartition(topic, 0): 7})
        assert first.committed(TopicPartition(topic, 0)) == 7
        first.close()
        assert [r.offset for r in read(member(), 3)] == [7, 8, 9]

    def test_a_listener_decides_where_a_partition_starts(self, topic, producer: MessageProducer, member: Member):
        for n in range(10):
            producer.send(topic, b"%d" % n, partition=0)
            producer.send(topic, b"%d" % n, partition=1)
        producer.flush()
        listener = Seeking(8)
        listener.consumer = member(listener)
        assert sorted(r.offset for r in read(listener.consumer, 4)) == [8, 8, 9, 9]

    def test_a_paused_partition_gives_nothing_until_it_is_resumed(self, topic, producer: MessageProducer, member: Member):
        consumer = member()
        wait_until(lambda: consumer.poll(0.1) is not None and len(consumer.assignment()) == 2, "both partitions")
        consumer.pause([TopicPartition(topic, 0)])
        producer.send(topic, b"held", partition=0)
        producer.send(topic, b"free", partition=1)
        producer.flush()
        assert [r.value for r in read(consumer, 1)] == [b"free"]
        assert not consumer.poll(0.3)
        consumer.resume([TopicPartition(topic, 0)])
        assert [r.value for r in read(consumer, 1)] == [b"held"]

    def test_a_second_member_takes_over_a_part_and_the_first_is_told(self, topic, producer: MessageProducer, member: Member):
        listener = Seeking(0)
        listener.consumer = first = member(listener)
        wait_until(lambda: first.poll(0.1) is not None and len(first.assignment()) == 2, "both partitions")
        second = member()

        def shared() -> bool:
            first.poll(0.1)
            second.poll(0.1)
            return len(first.assignment()) == 1 == len(second.assignment())

        wait_until(shared, "one partition each")
        assert second.assignment() <= listener.revoked

    def test_the_offset_of_a_time_is_told_and_the_end_where_nothing_is_so_late(self, topic, producer: MessageProducer, member: Member):
        for n in range(5):
            producer.send(topic, b"x", partition=0, timestamp_ms=1000 + 10 * n)
        producer.flush()
        consumer, (first, second) = member(), (TopicPartition(topic, 0), TopicPartition(topic, 1))
        assert consumer.offsets_at([first, second], 1015) == {first: 2, second: 0}
        assert consumer.offsets_at([first], 1020) == {first: 2}
        assert consumer.offsets_at([first], 1041) == {first: 5}

    def test_offsets_of_beginning_and_end_are_told(self, topic, producer: MessageProducer, member: Member):
        for _ in range(3):
            producer.send(topic, b"x", partition=0)
        producer.flush()
        tps = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        consumer = member()
        assert consumer.beginning_offsets(tps) == {tps[0]: 0, tps[1]: 0}
        assert consumer.end_offsets(tps) == {tps[0]: 3, tps[1]: 0}
        read(consumer, 3)
        assert consumer.last_known_end(tps[0]) == 3

    def test_the_position_passes_offsets_without_a_record_also_at_the_end_of_the_log(
        self, topic, producer: MessageProducer, member: Member, abort: Callable[[int], None]
    ):
        tps = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        for n in range(2):
            producer.send(topic, b"%d" % n, partition=0)
        producer.flush()
        abort(1000)
        consumer = member()
        assert [r.offset for r in read(consumer, 2)] == [0, 1]
        wait_until(lambda: not consumer.poll(0.1) and consumer.position(tps[0]) == 1003, "the position to pass the aborted records")
        assert consumer.last_position(tps[0]) == 1003 == consumer.end_offsets(tps)[tps[0]]
        producer.send(topic, b"after", partition=0)
        producer.flush()
        assert [r.offset for r in read(consumer, 1)] == [1003]

    def test_an_end_behind_which_nothing_is_unread_is_the_readers_own_place(
        self, topic, producer: MessageProducer, topics: Topics, abort: Callable[[int], None]
    ):
        tps = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        for partition in (0, 1):
            producer.send(topic, b"x", partition=partition)
        producer.flush()
        abort(1000)
        with closing(topics.reader(tps)) as reader:
            assert ends_of_records(reader, {tps[0]: 1, tps[1]: 0}) == {tps[0]: 1, tps[1]: 1}
        producer.send(topic, b"x", partition=0)
        producer.flush()
        with closing(topics.reader(tps)) as reader:
            assert ends_of_records(reader, {tps[0]: 1, tps[1]: 1}) == {tps[0]: 1003, tps[1]: 1}

    def test_a_topic_is_described_and_a_missing_one_is_named(self, topic, topics: Topics, unique: str):
        [info] = topics.describe([topic]).values()
        assert (info.partitions, topics.describe([topic])) == (2, {topic: info})
        with pytest.raises(ConfigurationError, match=f"none-{unique} does not exist"):
            topics.describe([topic, f"none-{unique}"])

    def test_a_reader_of_partitions_is_in_no_group_and_hears_which_topic_it_reads(self, topic, topics: Topics, producer: MessageProducer):
        for n in range(3):
            producer.send(topic, b"%d" % n, partition=1)
        producer.flush()
        reader = topics.reader([TopicPartition(topic, 1)])
        reader.seek(TopicPartition(topic, 1), 1)
        assert [record.value for record in read(reader, 2)] == [b"1", b"2"]
        assert reader.position(TopicPartition(topic, 1)) == 3
        assert reader.topic_id(topic) == topics.describe([topic])[topic].id
        assert reader.topic_id("another") is None
        reader.close()

    @pytest.fixture
    def impatient_producer(self, producer: MessageProducer) -> MessageProducer:
        """Gives up soon, where it is to give up."""
        return producer

    def test_sending_to_a_topic_that_is_not_there_fails(self, impatient_producer: MessageProducer, unique: str):
        with pytest.raises((ConfigurationError, TransientError)):
            impatient_producer.send(f"none-{unique}", b"x")
            impatient_producer.flush()


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    def broker(self) -> MemoryBroker:
        return MemoryBroker()

    @pytest.fixture
    def topic(self, broker: MemoryBroker) -> str:
        broker.create_topic("t", 2)
        return "t"

    @pytest.fixture
    def producer(self, broker: MemoryBroker) -> MessageProducer:
        return broker.producer()

    @pytest.fixture
    def topics(self, broker: MemoryBroker) -> Topics:
        return broker

    @pytest.fixture
    def member(self, broker: MemoryBroker, topic: str) -> Member:
        return lambda listener=None: broker.consumer(group="g", topics=[topic], listener=listener)

    @pytest.fixture
    def abort(self, broker: MemoryBroker, topic: str) -> Callable[[int], None]:
        return lambda records: broker.abort(TopicPartition(topic, 0), records)


class TestKafka(BrokerContract):
    @pytest.fixture
    def topic(self, kafka_bootstrap: str, unique: str) -> str:
        spec = Topic(name=f"t-{unique}", partitions=2, key="", carries="", written_by=(), read_by=(), plane="data")
        kafka.create_topics(kafka_bootstrap, [spec])
        kafka.check_topics(kafka_bootstrap, [spec])
        return spec.name

    @pytest.fixture
    def producer(self, kafka_bootstrap: str) -> Iterator[MessageProducer]:
        producer = kafka.Producer(kafka_bootstrap, client_id="test")
        yield producer
        producer.close()

    @pytest.fixture
    def impatient_producer(self, kafka_bootstrap: str) -> Iterator[MessageProducer]:
        producer = kafka.Producer(kafka_bootstrap, client_id="test", delivery_timeout_seconds=3)
        yield producer
        producer.close()

    @pytest.fixture
    def topics(self, kafka_bootstrap: str) -> Topics:
        return kafka.KafkaTopics(kafka_bootstrap, client_id="test")

    @pytest.fixture
    def member(self, kafka_bootstrap: str, topic: str, unique: str) -> Iterator[Member]:
        members: list[MessageConsumer] = []

        def join(listener: RebalanceListener | None = None, topics: Sequence[str] = (topic,)) -> MessageConsumer:
            members.append(kafka.GroupConsumer(kafka_bootstrap, group=f"g-{unique}", topics=topics, listener=listener, client_id="test"))
            return members[-1]

        yield join
        for consumer in members:
            consumer.close()

    @pytest.fixture
    def abort(self, kafka_bootstrap: str, topic: str) -> Callable[[int], None]:
        return lambda records: abort_transaction(kafka_bootstrap, topic, records)

    def test_a_flush_ends_while_the_client_waits_for_a_producer_id_for_ever(
        self, impatient_producer: kafka.Producer, topic: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As kafka-python did after a broker's hard end: it then gives up no batch, and its own flush never returns."""
        monkeypatch.setattr(kafka_producer, "FLUSH_GRACE_SECONDS", 1.0)
        monkeypatch.setattr(impatient_producer._inner._transaction_manager, "has_producer_id", lambda: False)
        impatient_producer.send(topic, b"never", partition=0)
        with pytest.raises(TransientError, match="flushing to Kafka"):
            impatient_producer.flush()
        with pytest.raises(TransientError, match="was not delivered"):
            impatient_producer.send(topic, b"after it", partition=0)

    def test_a_topic_with_other_settings_is_named_with_the_setting(self, kafka_bootstrap: str, unique: str) -> None:
        spec = Topic(name=f"t-{unique}", partitions=1, key="", carries="", written_by=(), read_by=(), plane="data")
        kafka.create_topics(kafka_bootstrap, [spec])
        other = Topic(name=f"t-{unique}", partitions=1, key="", carries="", written_by=(), read_by=(), plane="data", retention_ms=1000)
        with pytest.raises(ConfigurationError, match=r"retention\.ms is 2592000000, needs 1000"):
            kafka.check_topics(kafka_bootstrap, [other])

    def test_settings_of_topics_that_are_there_stay_when_only_the_missing_ones_are_made(self, kafka_bootstrap: str, unique: str) -> None:
        spec = Topic(name=f"t-{unique}", partitions=1, key="", carries="", written_by=(), read_by=(), plane="data")
        kafka.create_topics(kafka_bootstrap, [spec])
        other = Topic(name=f"t-{unique}", partitions=1, key="", carries="", written_by=(), read_by=(), plane="data", retention_ms=1000)
        kafka.create_topics(kafka_bootstrap, [other], alter=False)
        kafka.check_topics(kafka_bootstrap, [spec])
        kafka.create_topics(kafka_bootstrap, [other])
        kafka.check_topics(kafka_bootstrap, [other])

    def test_a_missing_topic_is_named_with_the_remedy(self, kafka_bootstrap: str, unique: str) -> None:
        spec = Topic(name=f"none-{unique}", partitions=1, key="", carries="", written_by=(), read_by=(), plane="data")
        with pytest.raises(ConfigurationError, match=f"none-{unique} does not exist; create it"):
            kafka.check_topics(kafka_bootstrap, [spec])
        with pytest.raises(ConfigurationError, match="does not exist"):
            kafka.topic_id(kafka_bootstrap, spec.name)

    def test_a_header_key_that_is_not_utf8_is_read_and_written_back_as_it_was(self, kafka_bootstrap: str, topic: str, producer) -> None:
        odd = HeaderKey(b"\xff\x00k".decode("utf-8", "surrogateescape"))
        producer.send(topic, b"before", partition=0)
        producer.send(topic, b"odd", partition=0, headers=((odd, b"1"), ("plain", b"2")))
        producer.send(topic, b"after", partition=0)
        producer.flush()
        records = kafka.read_topic(kafka_bootstrap, topic)
        assert [r.value for r in records] == [b"before", b"odd", b"after"]
        assert [(k.encode(), v) for k, v in records[1].headers] == [(b"\xff\x00k", b"1"), (b"plain", b"2")]
        producer.send(topic, b"again", partition=1, headers=records[1].headers)
        producer.flush()
        again = next(r for r in kafka.read_topic(kafka_bootstrap, topic) if r.value == b"again")
        assert again.headers == records[1].headers

    def test_added_partitions_are_taken_up_however_short_the_polls_are(self, kafka_bootstrap: str, topic: str, member: Member) -> None:
        consumer = member()

        wait_until(lambda: consumer.poll(0.001) is not None and len(consumer.assignment()) == 2, "the partitions that are there")
        kafka.add_partitions(kafka_bootstrap, {topic: 5})
        consumer._inner._cluster.request_update()  # as by itself every half minute
        wait_until(lambda: consumer.poll(0.001) is not None and len(consumer.assignment()) == 5, "the added ones, too")

    def test_a_topic_is_read_to_its_end(self, kafka_bootstrap: str, topic: str, producer: MessageProducer) -> None:
        for n in range(20):
            producer.send(topic, b"%d" % n, partition=n % 2)
        producer.flush()
        assert len(kafka.read_topic(kafka_bootstrap, topic)) == 20
        assert len(kafka.read_topic(kafka_bootstrap, topic, start={0: 5, 1: 10})) == 5
