"""The event of a commit, made from the commit's own note, so that a repeat is the same event."""

from driftloop.contracts import topics
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import LakeCommitted, Table
from driftloop.contracts.values import OffsetRange
from driftloop.lake.notes import CommitNote
from driftloop.ports import EventPublisher


def lake_committed(stream: str, table: Table, note: CommitNote) -> LakeCommitted:
    return LakeCommitted(
        stream=stream,
        table=table,
        version=note.version,
        rows=note.rows,
        ranges=tuple(OffsetRange(topic=m.topic, topic_id=m.topic_id, partition=m.partition, start=m.start, end=m.end) for m in note.moves),
        event_time_min=note.event_time_min,
        event_time_max=note.event_time_max,
        watermarks=note.watermarks,
    )


def publish_commit(publisher: EventPublisher, stream: str, table: Table, note: CommitNote) -> None:
    """Safe to repeat: the event's id is named by the commit. Raises TransientError."""
    event = lake_committed(stream, table, note)
    publisher.publish(topics.DATASET_VERSIONS, event, key=stream, id=caused_id("lake", stream, table, note.version), time=note.at)
