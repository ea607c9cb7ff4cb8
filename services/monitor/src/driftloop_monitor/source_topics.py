"""The topics that a worker's tables and windows depend on, as they were at its start, and the look whether they still are so.

A topic that got more partitions, or was made anew, is taken up by a start: it gives the tables their new partitions, and goes on
in each partition from what the tables know of the topic as it is now.
"""

import threading

from driftloop.contracts import topics
from driftloop.errors import ConfigurationError, TransientError
from driftloop.monitoring.sketch_check import TopicEnds
from driftloop.ports import MessageConsumer, TopicInfo, TopicPartition, Topics
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class SourceTopics:
    """Of one stream. Raises TransientError, ConfigurationError for one that is missing."""

    def __init__(self, broker: Topics, stream: str) -> None:
        self._broker, self._requests = broker, topics.requests(stream)
        self._names = (topics.inferences(stream), topics.labels(stream), topics.WINDOW_SKETCHES)
        self._known = broker.describe(self._names)

    @property
    def inferences(self) -> TopicInfo:
        return self._known[self._names[0]]

    @property
    def labels(self) -> TopicInfo:
        return self._known[self._names[1]]

    @property
    def sketches(self) -> TopicInfo:
        return self._known[self._names[2]]

    def requests_end(self, topic_id: str, partition: int) -> int | None:
        """Where a partition of the stream's requests ends now; None where the topic has another id, or not so many partitions.
        Raises TransientError, ConfigurationError."""
        known = self._broker.describe([self._requests])[self._requests]
        if known.id != topic_id or partition >= known.partitions:
            return None
        tp = TopicPartition(self._requests, partition)
        reader = self._broker.reader([tp])
        try:
            return reader.end_offsets([tp])[tp]
        finally:
            reader.close()

    def changed(self) -> str | None:
        """What is not as it was at the start, in words. None also while that cannot be told: the broker is away, or a topic is
        just being made anew."""
        try:
            now = self._broker.describe(self._names)
        except (TransientError, ConfigurationError) as exc:
            log.info("topics-not-described", reason=str(exc))
            return None
        for name, known in self._known.items():
            if now[name].id != known.id:
                return f"{name} was made anew"
            if now[name].partitions != known.partitions:
                return f"{name} has {now[name].partitions} partitions, at the start it had {known.partitions}"
        return None


class InferencesEnds:
    """Where the stream's ``inferences`` end, as last asked for: every sketch is of messages before that, and to ask the broker about
    each would cost a call per partition and window. Safe to ask from any thread."""

    def __init__(self, broker: Topics, stream: str) -> None:
        self._broker, self._name = broker, topics.inferences(stream)
        self._reader: MessageConsumer | None = None
        self._asking = threading.Lock()
        self.known = TopicEnds("", {})

    def ask(self) -> TopicEnds:
        """As they are now. Raises TransientError, ConfigurationError."""
        with self._asking:
            info = self._broker.describe([self._name])[self._name]
            tps = [TopicPartition(self._name, partition) for partition in range(info.partitions)]
            if self._reader is None:
                self._reader = self._broker.reader(tps)
            try:
                found = self._reader.end_offsets(tps)
            except BaseException:
                reader, self._reader = self._reader, None
                reader.close()
                raise
            self.known = TopicEnds(info.id, {tp.partition: end for tp, end in found.items()})
            return self.known
