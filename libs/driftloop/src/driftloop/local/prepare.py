"""What a stack needs between Kafka and S3 being up and the first service."""

from driftloop.local.addresses import StackAddresses
from driftloop.local.s3 import create_bucket


def prepare_stack(addresses: StackAddresses) -> None:
    """Create the bucket and the topics that every stream shares; a stream's own come with its project."""
    from driftloop.adapters.kafka import create_topics
    from driftloop.contracts.topics import CONTROL_TOPICS

    create_bucket(addresses.s3)
    create_topics(addresses.kafka_bootstrap, CONTROL_TOPICS)


def prepare_bucket(addresses: StackAddresses) -> None:
    """Create the bucket alone: for a stack without services."""
    create_bucket(addresses.s3)
