"""Making kafka-python's clients: the one place where any is built, with its cluster's security.

One that cannot connect leaves nothing behind, neither a thread nor a socket: kafka-python 3.0 starts a thread before it asks the
brokers who they are; when none answers it raises and leaves the thread, which connects again and again for as long as the process
lives. And it says why: kafka-python tries for half a minute what the brokers refuse, and then says only that it could not connect.
"""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from kafka.errors import KafkaConnectionError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from driftloop.adapters.kafka_refusals import hint, refusal
from driftloop.adapters.kafka_secured import client_settings
from driftloop.adapters.kafka_security import Cluster, KafkaSecurity, cluster_of
from driftloop.adapters.kafka_tokens import token_source
from driftloop.errors import ConfigurationError, TransientError
from driftloop.telemetry import get_logger

SAID_AGAIN_SECONDS = 30.0
TLS_RECEIVE_BYTES = 64 * 1024  # at once; a record of TLS has 16 KiB at most

C = TypeVar("C")

log = get_logger(__name__)

_connect = KafkaNetSocket.sock_connect


async def _connect_or_close(self: Any, net: Any, sock: socket.socket, *address: Any, **until: Any) -> Any:
    """As kafka-python's, which leaves the socket of a refused connection to the garbage collector."""
    try:
        return await _connect(self, net, sock, *address, **until)
    except BaseException:
        sock.close()
        raise


async def _shake_or_close(self: Any) -> None:
    """As kafka-python's, which leaves the socket of a failed handshake too."""
    try:
        await _handshake(self)
    except BaseException:
        self._sock.close()
        raise


def _answer_before_end(receive: Callable[[Any], tuple[bytes, Any]]) -> Callable[[Any], tuple[bytes, Any]]:
    """What came together with the end of the connection: kafka-python throws it away, and it is where the broker says why it refuses."""

    def received(self: Any) -> tuple[bytes, Any]:
        data, failure = receive(self)
        return (data, None) if data else (data, failure)  # the next read finds the end again

    return received


def _receive_records(self: Any) -> tuple[bytes, Any]:
    """As kafka-python's by TLS, which takes a record of 16 KiB in four calls."""
    parts: list[bytes] = []
    failure: KafkaConnectionError | None = None
    while failure is None:
        try:
            parts.append(self._sock.recv(TLS_RECEIVE_BYTES))
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            break
        except Exception as exc:  # noqa: BLE001 - whatever it is, the connection has ended by it
            failure = KafkaConnectionError(exc)
        else:
            if not parts[-1]:
                failure = KafkaConnectionError("socket disconnected")
    return b"".join(parts), failure


KafkaNetSocket.sock_connect = _connect_or_close
_handshake = KafkaSSLTransport.handshake
KafkaSSLTransport.handshake = _shake_or_close
KafkaTCPTransport._sock_recv = _answer_before_end(KafkaTCPTransport._sock_recv)
KafkaSSLTransport._sock_recv = _answer_before_end(_receive_records)


class _Connections(KafkaConnectionManager):  # type: ignore[misc]
    """Knows why connections fail. What security refuses at the first connection is not tried again; later it is, with what the
    files then say, and told in the log."""

    def __init__(self, net: Any, security: KafkaSecurity, **config: Any) -> None:
        super().__init__(net, **config)
        self._security = security
        self._refusing: dict[Any, str] = {}
        self._said_at = float("-inf")
        self.last_failure: BaseException | None = None

    @property
    def refusal(self) -> str | None:
        """Of a broker that refuses now."""
        return next(iter(self._refusing.values()), None)

    def get_connection(self, node_id: Any, *arguments: Any, **named: Any) -> Any:
        before = self._conns.get(node_id)
        connection = super().get_connection(node_id, *arguments, **named)
        if connection is not before:
            connection.init_future.add_callback(lambda _: self._refusing.pop(node_id, None))
            connection.init_future.add_errback(lambda exc: self._failed(node_id, exc))
        return connection

    def maybe_raise_auth_failure(self, node_id: Any) -> None:
        """kafka-python would give a node up for good; credentials are made right again."""

    def reset_backoff(self, node_id: Any) -> None:
        """kafka-python does so after a refusal too, and then asks without a pause."""
        if node_id in self._refusing:
            self.update_backoff(node_id)
        else:
            super().reset_backoff(node_id)

    def _failed(self, node_id: Any, exc: BaseException) -> None:
        self.last_failure = exc
        said = refusal(exc, self._security)
        if said is None:
            return
        self._refusing[node_id] = said
        if (source := token_source(self._security)) is not None:
            source.forget()
        if not self.bootstrapped:
            if {broker.node_id for broker in self.cluster.bootstrap_brokers()} <= set(self._refusing):
                self.closed = True  # ends the attempts
        elif time.monotonic() > self._said_at + SAID_AGAIN_SECONDS:
            self._said_at = time.monotonic()
            log.warning("kafka-refused", reason=said)


_connections: WeakKeyDictionary[Any, _Connections] = WeakKeyDictionary()  # by client: they keep theirs under names of their own


def connected(kind: Callable[..., C], where: str | Cluster, **settings: object) -> C:
    """``kind(**settings)`` of that cluster: an admin client, a consumer or a producer.

    Raises ConfigurationError when security keeps it out, TransientError when no broker answers, otherwise what ``kind`` raises;
    the client's thread has ended then.
    """
    cluster = cluster_of(where)
    made: list[KafkaNetClient] = []

    def client(**config: Any) -> Any:
        net = NetworkSelector(**config)
        made.append(KafkaNetClient(net=net, manager=_Connections(net, cluster.security, **config)))
        return made[-1]

    try:
        found = kind(kafka_client=client, **client_settings(cluster), **settings)
        _connections[found] = made[-1]._manager
        return found
    except BaseException as exc:
        for left in made:
            left._manager.closed = False  # so that it closes what it has
            left.close()  # ends its thread too
        reason = next((left._manager for left in made), None)
        if reason is not None and reason.refusal is not None and not reason.bootstrapped:
            raise ConfigurationError(f"{cluster.bootstrap}: {reason.refusal}") from exc
        if isinstance(exc, KafkaTimeoutError) and reason is not None and reason.last_failure is not None:
            raise TransientError(f"{exc}: {reason.last_failure}{hint(reason.last_failure, cluster.security)}") from exc
        raise


def refusal_of(client: Any) -> str | None:
    """Why a broker refuses this client's connections now; None when none does."""
    manager = _connections.get(client)
    return None if manager is None else manager.refusal
