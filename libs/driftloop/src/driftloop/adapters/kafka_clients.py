"""Making kafka-python's clients: one that cannot connect leaves nothing behind, neither a thread nor a socket.

kafka-python 3.0 starts a thread before it asks the brokers who they are; when none answers it raises and leaves the thread,
which connects again and again for as long as the process lives: one more for every attempt while a broker is away.
"""

import socket
from collections.abc import Callable
from typing import Any, TypeVar

from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket

C = TypeVar("C")

_connect = KafkaNetSocket.sock_connect


async def _connect_or_close(self: Any, net: Any, sock: socket.socket, *address: Any, **until: Any) -> Any:
    """As kafka-python's, which leaves the socket of a refused connection to the garbage collector."""
    try:
        return await _connect(self, net, sock, *address, **until)
    except BaseException:
        sock.close()
        raise


KafkaNetSocket.sock_connect = _connect_or_close


def connected(kind: Callable[..., C], **settings: object) -> C:
    """``kind(**settings)``: an admin client, a consumer or a producer. Raises what it raises, its thread ended."""
    made: list[KafkaNetClient] = []

    def client(**config: object) -> Any:
        made.append(KafkaNetClient(**config))
        return made[-1]

    try:
        return kind(kafka_client=client, **settings)
    except BaseException:
        for left in made:
            left.close()  # ends its thread too
        raise
