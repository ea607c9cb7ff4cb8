"""Whether a topic is as safe as was asked for: how many brokers hold it, and how many of them must have a write before it counts."""

from typing import NamedTuple

from driftloop.errors import ConfigurationError


class Replicas(NamedTuple):
    """Of one topic: the fewest that a partition has, the topic's ``min.insync.replicas``, and brokers in the cluster."""

    fewest: int
    min_insync: int
    brokers: int


def check_replicas(topic: str, found: Replicas, told: int | None) -> str | None:
    """What a person should know, if anything. Raises ConfigurationError when the topic has fewer replicas than were ``told``."""
    fewest, min_insync, brokers = found
    if told is not None and fewest < told:
        raise ConfigurationError(
            f"topic {topic} has {fewest} replica{'s' if fewest > 1 else ''}, REPLICATION says {told}; "
            f"move it onto more brokers with: kafka-reassign-partitions --topics-to-move-json-file ..., or lower REPLICATION"
        )
    if fewest == 1:
        return "it is on one broker alone: what that broker loses is lost" if brokers > 1 else None
    if min_insync == 1:
        return f"min.insync.replicas is 1: a write counts once a single one of its {fewest} replicas has it; set it to {fewest - 1}"
    if min_insync >= fewest:
        return f"min.insync.replicas is {min_insync} of {fewest}: writes stop as soon as one broker is away; set it to {fewest - 1}"
    return None
