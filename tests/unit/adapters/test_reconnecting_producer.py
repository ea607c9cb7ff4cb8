"""A producer that lost a message is replaced; one that did not is kept."""

import pytest

from driftloop.adapters.reconnecting_producer import RenewedProducer
from driftloop.errors import TransientError


class Connection:
    """Fails its first flushes, as a producer whose delivery timed out."""

    def __init__(self, failures: int) -> None:
        self.failures, self.sent, self.closed = failures, [], False

    def send(self, topic: str, value: bytes | None, **_about: object) -> None:
        self.sent.append(value)

    def flush(self) -> None:
        if self.failures:
            self.failures -= 1
            raise TransientError("a message was not delivered")

    def close(self) -> None:
        self.closed = True


def test_a_producer_that_lost_a_message_is_replaced_and_closed() -> None:
    connections = [Connection(failures=1), Connection(failures=0)]
    made = iter(connections)
    producer = RenewedProducer(lambda: next(made))
    producer.send("t", b"1")
    with pytest.raises(TransientError):
        producer.flush()
    producer.send("t", b"1")
    producer.flush()
    assert connections[0].closed
    assert [c.sent for c in connections] == [[b"1"], [b"1"]]


def test_a_producer_that_delivers_is_kept_until_it_is_closed() -> None:
    connections: list[Connection] = []

    def connect() -> Connection:
        connections.append(Connection(failures=0))
        return connections[-1]

    producer = RenewedProducer(connect)
    for _ in range(3):
        producer.send("t", b"1")
        producer.flush()
    assert len(connections) == 1
    assert not connections[0].closed
    producer.close()
    assert connections[0].closed
