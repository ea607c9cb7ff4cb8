"""What a run has sent, as the topics have it: the only place that knows it after a ``kill -9``."""

import time
from collections.abc import Mapping, Set

from driftloop.contracts.redrives import Redrive, redrive_of
from driftloop.contracts.values import RedrivenMessage, TopicReach
from driftloop.errors import TransientError
from driftloop.ports import MessageConsumer, TopicPartition, Topics

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 30.0  # without a record, before the end that the broker had told


class Arrivals:
    """Reads some topics from where they ended when a run began. For one thread; close it."""

    def __init__(self, topics: Topics, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer: MessageConsumer = topics.reader(list(starts))
        try:
            beginnings = self._consumer.beginning_offsets(list(starts))
            self._at = {tp: max(offset, beginnings[tp]) for tp, offset in starts.items()}
            for tp, offset in self._at.items():
                self._consumer.seek(tp, offset)
        except BaseException:
            self._consumer.close()
            raise

    def of_run(self, run: str, awaited: Set[str] | None = None) -> dict[str, RedrivenMessage]:
        """By redrive id, where messages of this run are: up to the ends as of now, or until all that are awaited were found; the next
        call goes on from there. Of one that lies there twice, the first place. Raises TransientError."""
        found: dict[str, RedrivenMessage] = {}
        ends = self._consumer.end_offsets(list(self._at))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(self._at[tp] < end for tp, end in ends.items()) and not (awaited is not None and awaited <= found.keys()):
            polled = self._consumer.poll(POLL_SECONDS)
            for records in polled.values():
                for record in records:
                    said = redrive_of(record.headers)
                    if said is not None and said.run == run:
                        found.setdefault(said.id, _moved(said, record.partition, record.offset))
            self._at = {tp: self._consumer.position(tp) for tp in self._at}
            if polled:
                deadline = time.monotonic() + PATIENCE_SECONDS
            elif time.monotonic() > deadline:
                raise TransientError(f"{', '.join(sorted({tp.topic for tp in ends}))} could not be read to the end")
        return found

    def close(self) -> None:
        self._consumer.close()


def starts_of(reach: TopicReach, topic_id: str, partitions: int) -> dict[TopicPartition, int]:
    """Where to look in a topic for what a run sent; nowhere when it was made anew since. A partition that came later is read whole."""
    if reach.topic_id != topic_id:
        return {}
    return {TopicPartition(reach.topic, p): reach.ends.get(str(p), 0) for p in range(partitions)}


def reaches(topics: Topics, names: list[str]) -> tuple[TopicReach, ...]:
    """Where the topics end now. Raises ConfigurationError for one that does not exist, TransientError."""
    known = topics.describe(names)
    tps = [TopicPartition(name, p) for name, info in known.items() for p in range(info.partitions)]
    consumer = topics.reader(tps)
    try:
        ends = consumer.end_offsets(tps)
    finally:
        consumer.close()
    return tuple(
        TopicReach(topic=name, topic_id=info.id, ends={str(p): ends[TopicPartition(name, p)] for p in range(info.partitions)})
        for name, info in known.items()
    )


def _moved(said: Redrive, partition: int, offset: int) -> RedrivenMessage:
    return RedrivenMessage(
        id=said.id,
        quarantined=said.quarantined,
        topic=said.topic,
        partition=said.partition,
        offset=said.offset,
        new_partition=partition,
        new_offset=offset,
    )
