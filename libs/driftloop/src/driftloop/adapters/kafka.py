"""Kafka, as the ports promise it."""

from driftloop.adapters.kafka_admin import (
    add_partitions,
    check_topics,
    create_topics,
    partitions_of,
    read_topic,
    stream_topic,
    topic_id,
    topic_settings,
)
from driftloop.adapters.kafka_consumer import AssignedConsumer, GroupConsumer
from driftloop.adapters.kafka_producer import Producer, Publisher
from driftloop.adapters.kafka_topics import KafkaTopics

__all__ = [
    "AssignedConsumer",
    "GroupConsumer",
    "KafkaTopics",
    "Producer",
    "Publisher",
    "add_partitions",
    "check_topics",
    "create_topics",
    "partitions_of",
    "read_topic",
    "stream_topic",
    "topic_id",
    "topic_settings",
]
