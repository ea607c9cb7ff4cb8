"""Topics that are deleted and made again under their name while a process reads them: their offsets begin again."""

from driftloop.ports import MessageConsumer
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class TopicIncarnations:
    """The topics of a consumer's partitions, by the id that each had when it was first looked at."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def made_anew(self, consumer: MessageConsumer) -> frozenset[str]:
        """Those that have another id than at the last look; each is told once. Asks nobody."""
        anew = set()
        for topic in {tp.topic for tp in consumer.assignment()}:
            now = consumer.topic_id(topic)
            if now is None:  # deleted, or the broker has not said yet
                continue
            before = self._ids.setdefault(topic, now)
            if now != before:
                log.warning("topic-made-anew", topic=topic, was=before, now=now)
                self._ids[topic] = now
                anew.add(topic)
        return frozenset(anew)
