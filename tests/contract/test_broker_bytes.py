"""What strangers may write to a topic, read by both clients from a real broker: every codec, bombs, headers, transactions."""

import time
from collections.abc import Callable, Iterator

import msgspec
import pytest
from aiokafka.errors import MessageSizeTooLargeError
from tests.support.clients import abort_transaction
from tests.support.foreign import CODECS, read_by_aiokafka, send_batch

from driftloop.adapters import kafka
from driftloop.adapters.kafka_records import MAX_POLL_BYTES, HeaderKey
from driftloop.contracts.headers import UNREADABLE_BATCH, header
from driftloop.contracts.topics import Topic, stream_topics
from driftloop.errors import ConfigurationError
from driftloop.ports import MessageProducer, Record, TopicPartition

MIB = 1024 * 1024

Read = Callable[[str, str], list[Record]]


@pytest.fixture(params=[kafka.read_topic, read_by_aiokafka], ids=["kafka-python", "aiokafka"])
def read(request: pytest.FixtureRequest) -> Read:
    return request.param


@pytest.fixture
def topic(kafka_bootstrap: str, unique: str) -> str:
    spec = Topic(name=f"b-{unique}", partitions=2, key="", carries="", written_by=(), read_by=(), plane="data", max_message_bytes=4 * MIB)
    kafka.create_topics(kafka_bootstrap, [spec])
    return spec.name


@pytest.fixture
def producer(kafka_bootstrap: str) -> Iterator[MessageProducer]:
    producer = kafka.Producer(kafka_bootstrap, client_id="test", delivery_timeout_seconds=30)
    yield producer
    producer.close()


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read(kafka_bootstrap: str, topic: str, codec: str, read: Read) -> None:
    rows = [b'{"n": %d, "pad": "%s"}' % (n, b"x" * 500) for n in range(300)]
    send_batch(kafka_bootstrap, topic, rows, codec=codec)
    send_batch(kafka_bootstrap, topic, rows[:1], codec=codec)
    found = read(kafka_bootstrap, topic)
    assert [r.value for r in found] == [*rows, rows[0]]
    assert [r.offset for r in found] == list(range(301))


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_that_inflates_to_hundreds_of_mebibytes_comes_as_one_record_with_its_bytes_and_the_next_is_read(
    kafka_bootstrap: str, topic: str, codec: str, read: Read
) -> None:
    records = 18 if codec == "snappy" else 50  # snappy never makes less than a twentieth
    send_batch(kafka_bootstrap, topic, [b" " * 4_000_000] * records, codec=codec)
    send_batch(kafka_bootstrap, topic, [b"after"], codec=codec)
    bomb, after = read(kafka_bootstrap, topic)
    assert (bomb.offset, after.offset, after.value) == (0, records, b"after")
    assert header(bomb.headers, UNREADABLE_BATCH) == b"offsets 0 to %d, %d records in the batch: inflates to more than 67108864 bytes" % (
        records - 1,
        records,
    )
    assert len(bomb.value or b"") < 4 * MIB


def test_one_poll_brings_a_bounded_number_of_bytes_however_few_are_on_the_broker(kafka_bootstrap: str, topic: str) -> None:
    for _ in range(4):
        send_batch(kafka_bootstrap, topic, [b" " * 2_000_000] * 20, codec="gzip")
    consumer = kafka.AssignedConsumer(kafka_bootstrap, [TopicPartition(topic, 0)], client_id="test")
    consumer.seek(TopicPartition(topic, 0), 0)
    sizes: list[int] = []
    offsets: list[int] = []
    while len(offsets) < 80:
        found = consumer.poll(1.0, max_records=5000).get(TopicPartition(topic, 0), ())
        sizes.append(sum(len(r.value or b"") for r in found))
        offsets += [r.offset for r in found]
    consumer.close()
    assert offsets == list(range(80))
    assert MAX_POLL_BYTES // 2 < max(sizes) <= MAX_POLL_BYTES + 2_000_000
    sizes.clear()
    assert [r.offset for r in read_by_aiokafka(kafka_bootstrap, topic, sizes=sizes)] == list(range(80))
    assert max(sizes) <= MAX_POLL_BYTES + 2_000_000


def test_header_keys_and_values_of_any_bytes_and_null_values_are_read(
    kafka_bootstrap: str, topic: str, producer: MessageProducer, read: Read
) -> None:
    odd = HeaderKey(b"\xff\x00k".decode("utf-8", "surrogateescape"))
    producer.send(topic, b"before", partition=0)
    producer.send(topic, b"odd", partition=0, headers=((odd, b"\xfe\x00"), ("", b"")))
    producer.flush()
    send_batch(kafka_bootstrap, topic, [b"null"], headers=[("null", None)])
    records = read(kafka_bootstrap, topic)
    assert [r.value for r in records] == [b"before", b"odd", b"null"]
    assert [(k.encode(), v) for k, v in records[1].headers] == [(b"\xff\x00k", b"\xfe\x00"), (b"", b"")]
    assert records[2].headers == (("null", b""),)


@pytest.mark.parametrize("codec", CODECS)
def test_topics_that_strangers_write_take_every_codec_and_no_bomb(kafka_bootstrap: str, unique: str, codec: str) -> None:
    requests, _, labels, _ = stream_topics(f"s-{unique}", 2)
    kafka.create_topics(kafka_bootstrap, [requests, labels])
    for topic in (requests, labels):
        send_batch(kafka_bootstrap, topic.name, [b"{}" * 1000] * 100, codec=codec)
        with pytest.raises(MessageSizeTooLargeError):
            send_batch(kafka_bootstrap, topic.name, [b" " * 5_000_000], codec=codec)
        assert [r.value for r in kafka.read_topic(kafka_bootstrap, topic.name)] == [b"{}" * 1000] * 100


def test_a_topic_of_before_is_refused_with_the_command_that_sets_it_right_and_set_right_by_it(kafka_bootstrap: str, unique: str) -> None:
    requests = stream_topics(f"s-{unique}")[0]
    before = msgspec.structs.replace(requests, uncompressed=False, max_message_bytes=MIB)
    kafka.create_topics(kafka_bootstrap, [before])
    with pytest.raises(ConfigurationError) as told:
        kafka.check_topics(kafka_bootstrap, [requests])
    assert "max.message.bytes is 1048576, needs 4194304; set it right with: driftloop up --project DIR" in str(told.value)
    assert "--add-config max.message.bytes=4194304,compression.type=uncompressed" in str(told.value)
    kafka.create_topics(kafka_bootstrap, [requests])
    kafka.check_topics(kafka_bootstrap, [requests])


def test_records_of_aborted_transactions_are_passed_over_also_at_the_end(kafka_bootstrap: str, topic: str, read: Read) -> None:
    send_batch(kafka_bootstrap, topic, [b"before"])
    abort_transaction(kafka_bootstrap, topic, 5000)
    assert [(r.offset, r.value) for r in read(kafka_bootstrap, topic)] == [(0, b"before")]
    send_batch(kafka_bootstrap, topic, [b"after"])
    abort_transaction(kafka_bootstrap, topic, 1)
    assert [(r.offset, r.value) for r in read(kafka_bootstrap, topic)] == [(0, b"before"), (5002, b"after")]


def test_faust_is_told_which_offsets_have_no_record(kafka_bootstrap: str, topic: str) -> None:
    send_batch(kafka_bootstrap, topic, [b"0", b"1"])
    abort_transaction(kafka_bootstrap, topic, 3000)
    abort_transaction(kafka_bootstrap, topic, 2)
    send_batch(kafka_bootstrap, topic, [b"behind the hole", b"behind another"])
    holes: dict[int, int | None] = {}
    for most in (None, 1):
        read_by_aiokafka(kafka_bootstrap, topic, holes=holes, most=most)
        assert holes == {0: None, 1: None, 3006: 2, 3007: None}


def test_topics_have_the_brokers_default_of_replicas_unless_told_and_more_than_there_are_brokers_is_refused(
    kafka_bootstrap: str, unique: str
) -> None:
    requests = stream_topics(f"s-{unique}")[0]
    with pytest.raises(ConfigurationError, match=r"topics cannot have 3 replicas.*set REPLICATION to what the cluster has"):
        kafka.create_topics(kafka_bootstrap, [requests], replication=3)
    kafka.create_topics(kafka_bootstrap, [requests])
    kafka.check_topics(kafka_bootstrap, [requests], replication=1)
    with pytest.raises(ConfigurationError, match="has 1 replica, REPLICATION says 3"):
        kafka.check_topics(kafka_bootstrap, [requests], replication=3)


def test_records_of_a_stream_have_the_brokers_time_and_are_kept_as_long_as_the_project_says(
    kafka_bootstrap: str, unique: str, producer: MessageProducer, read: Read
) -> None:
    topics = stream_topics(f"s-{unique}", 2, retention_ms=3_600_000)
    kafka.create_topics(kafka_bootstrap, topics)
    for topic in topics:
        producer.send(topic.name, b"x", partition=0, timestamp_ms=1_000)
        producer.flush()
        (record,) = read(kafka_bootstrap, topic.name)
        assert abs(record.timestamp_ms / 1000 - time.time()) < 300
    with pytest.raises(ConfigurationError, match=r"retention\.ms is 3600000, needs 2592000000"):
        kafka.check_topics(kafka_bootstrap, stream_topics(f"s-{unique}", 2))
    kafka.create_topics(kafka_bootstrap, stream_topics(f"s-{unique}", 2))
    kafka.check_topics(kafka_bootstrap, stream_topics(f"s-{unique}", 2))
