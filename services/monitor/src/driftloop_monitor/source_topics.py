"""The topics that a worker's tables and windows depend on, as they were at its start, and the look whether they still are so.

A topic that got more partitions, or was made anew, is taken up by a start: it gives the tables their new partitions, and goes on
in each partition from what the tables know of the topic as it is now.
"""

from driftloop.contracts import topics
from driftloop.errors import ConfigurationError, TransientError
from driftloop.ports import TopicInfo, Topics
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class SourceTopics:
    """Of one stream. Raises TransientError, ConfigurationError for one that is missing."""

    def __init__(self, broker: Topics, stream: str, labels: str | None = None) -> None:
        """``labels``: the topic, where it is not the stream's own."""
        self._broker = broker
        self._names = (topics.inferences(stream), labels or topics.labels(stream), topics.WINDOW_SKETCHES)
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
