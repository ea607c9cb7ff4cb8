"""The newest records of any topic that are JSON objects: what `driftloop init --topic` looks at before there is a project."""

from contextlib import closing
from typing import Any

from driftloop.adapters.kafka import stream_topic
from driftloop.client.connections import Connections
from driftloop.contracts.foreign_json import decoded
from driftloop.contracts.values import Part
from driftloop.errors import ConfigurationError, InvalidMessage, UserError
from driftloop.ports import Record, TopicPartition


class TopicSample(Part, frozen=True, kw_only=True):
    """``rows``: in the order of partition and offset; ``passed_over``: records that are no JSON objects, such as watermarks."""

    topic: str
    rows: list[dict[str, Any]]
    passed_over: int


def topic_sample(to: Connections, topic: str, limit: int) -> TopicSample:
    """At most ``limit`` records, equally many of each partition, the newest. Raises UserError where there is none, TransientError."""
    rows: list[dict[str, Any]] = []
    passed_over = 0
    for record in newest_records(to, topic, limit)[1]:
        try:
            if record.value is None:
                raise InvalidMessage("no value")
            rows.append(decoded(record.value, dict[str, Any], "record"))
        except InvalidMessage:
            passed_over += 1
    if not rows:
        raise UserError(f"topic {topic}: none of its {passed_over:,} newest records is a JSON object, so there are no columns to look at")
    return TopicSample(topic=topic, rows=rows, passed_over=passed_over)


def newest_records(to: Connections, topic: str, limit: int) -> tuple[int, list[Record]]:
    """The topic's partitions, and at most ``limit`` records, equally many of each, the newest. Raises UserError where the topic is not
    there or may not be read, TransientError."""
    try:
        n = to.topics.describe([topic])[topic].partitions
        partitions = [TopicPartition(topic, p) for p in range(n)]
        with closing(to.topics.reader(partitions)) as consumer:
            ends = consumer.end_offsets(partitions)
        each = max(1, limit // n)
        return n, list(stream_topic(to.kafka, topic, start={tp.partition: max(0, end - each) for tp, end in ends.items()}))
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc
