"""Publishing through a broker outage: a producer that lost a message stays failed, so a new one takes its place."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from driftloop.contracts.events import Event
from driftloop.errors import TransientError
from driftloop.ports import EventPublisher, MessageProducer
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class Connection(NamedTuple):
    events: EventPublisher
    producer: MessageProducer


class RenewedPublisher:
    """Keeps ``ports.EventPublisher``. Only for events that do not lean on each other's order across a failure:
    commands of the registry carry the epoch that they expect, decisions stand alone."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def publish(self, topic: str, event: Event, *, key: str, id: str, time: datetime | None = None) -> None:
        connection = self._connected()
        try:
            connection.events.publish(topic, event, key=key, id=id, time=time)
        except TransientError:
            self._forget(connection)
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._forget(self._connection)

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _forget(self, failed: Connection) -> None:
        with self._lock:
            if self._connection is not failed:
                return  # another thread was here first
            self._connection = None
        try:
            failed.producer.close()
        except TransientError as exc:
            log.warning("producer-not-closed", reason=str(exc))
