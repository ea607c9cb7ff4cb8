"""Publishing a few events an hour: a producer that has lost a message stays failed, so each event gets its own."""

from collections.abc import Callable
from datetime import datetime

from driftloop.contracts.events import Event
from driftloop.errors import TransientError
from driftloop.ports import EventPublisher, MessageProducer
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class FreshPublisher:
    """Keeps ``ports.EventPublisher``."""

    def __init__(self, connect: Callable[[], MessageProducer], publisher: Callable[[MessageProducer], EventPublisher]) -> None:
        self._connect, self._publisher = connect, publisher

    def publish(self, topic: str, event: Event, *, key: str, id: str, time: datetime | None = None) -> None:
        producer = self._connect()
        try:
            self._publisher(producer).publish(topic, event, key=key, id=id, time=time)
        finally:
            try:
                producer.close()
            except TransientError as exc:  # the event is durable, or its own error is on its way
                log.warning("producer-not-closed", reason=str(exc))
