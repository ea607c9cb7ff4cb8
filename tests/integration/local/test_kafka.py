"""The broker of the local stack does what a broker does."""

import warnings

from tests.support.clients import READ_TIMEOUT_MS
from tests.support.waiting import PATIENCE_SECONDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # importing kafka emits some
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import NewTopic

QUARANTINE_BYTES = 8 * 1024 * 1024


def test_a_record_of_quarantine_size_comes_back_as_it_was_sent(kafka_bootstrap: str, unique: str) -> None:
    topic = f"large-{unique}"
    value = b"x" * (QUARANTINE_BYTES - 1024)
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": str(QUARANTINE_BYTES)})])
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, max_request_size=2 * QUARANTINE_BYTES)
    producer.send(topic, key=b"k", value=value, headers=[("h", b"v")], partition=0).get(PATIENCE_SECONDS)
    consumer = KafkaConsumer(
        bootstrap_servers=kafka_bootstrap,
        enable_auto_commit=False,
        consumer_timeout_ms=READ_TIMEOUT_MS,
        max_partition_fetch_bytes=2 * QUARANTINE_BYTES,
    )
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()

    record = next(iter(consumer))

    assert (record.key, record.value, list(record.headers)) == (b"k", value, [("h", b"v")])
    for client in (admin, producer, consumer):
        client.close()
