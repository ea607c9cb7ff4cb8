"""Short ways to put something into a real broker or store and to get it back."""

import io
import warnings
from typing import Any

from minio import Minio
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.local.s3 import S3Access

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # importing kafka emits some
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

READ_TIMEOUT_MS = int(PATIENCE_SECONDS * 1000)


def create_topic(bootstrap: str, topic: str, partitions: int = 1, **configs: Any) -> None:
    """Create a topic; settings with underscores for their dots."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    settings = {name.replace("_", "."): str(value) for name, value in configs.items()}
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)])
    admin.close()


def alter_topic(bootstrap: str, topic: str, **configs: Any) -> None:
    """Change settings of a topic, named as for ``create_topic``."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    settings = {name.replace("_", "."): str(value) for name, value in configs.items()}
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)])
    admin.close()


def publish(bootstrap: str, topic: str, *values: bytes) -> None:
    """Create the topic and return once the broker holds the values, in order, in its partition 0."""
    create_topic(bootstrap, topic)
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    for value in values:
        producer.send(topic, value=value, partition=0).get(PATIENCE_SECONDS)
    producer.close()


def abort_transaction(bootstrap: str, topic: str, records: int, partition: int = 0, *, value: bytes = b"aborted") -> None:
    """Leave so many records of an aborted transaction, and its marker, at the end of a partition."""
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        transactional_id=f"test-{topic}",
        linger_ms=20,
        batch_size=512 * 1024,
    )
    producer.init_transactions()
    producer.begin_transaction()
    for _ in range(records):
        producer.send(topic, value, partition=partition)
    producer.flush()
    producer.abort_transaction()
    producer.close()


def read_all(bootstrap: str, topic: str, count: int, partition: int = 0) -> list[bytes]:
    """The first values of a partition; fewer than `count` if no more come in time."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, consumer_timeout_ms=READ_TIMEOUT_MS)
    consumer.assign([TopicPartition(topic, partition)])
    consumer.seek_to_beginning()
    values: list[bytes] = []
    for record in consumer:
        values.append(record.value)
        if len(values) == count:
            break
    consumer.close()
    return values


def put(access: S3Access, key: str, data: bytes) -> None:
    _client(access).put_object(bucket_name=access.bucket, object_name=key, data=io.BytesIO(data), length=len(data))


def get(access: S3Access, key: str) -> bytes:
    response = _client(access).get_object(bucket_name=access.bucket, object_name=key)
    try:
        return bytes(response.read())
    finally:
        response.close()
        response.release_conn()


def _client(access: S3Access) -> Minio:
    return Minio(
        endpoint=access.endpoint.removeprefix("http://"),
        access_key=access.access_key,
        secret_key=access.secret_key,
        region=access.region,
        secure=False,
    )
