"""Closed-loop MLOps on Apache Kafka. ``driftloop.Client()`` reads the lake, ``driftloop.Producer(stream)`` sends to a stream."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftloop.client import Client
    from driftloop.producing import AsyncProducer, Producer

__all__ = ["AsyncProducer", "Client", "Producer"]


def __getattr__(name: str) -> Any:
    """Loaded when it is asked for: services and commands do without."""
    if name == "Client":
        from driftloop.client import Client

        return Client
    if name in ("AsyncProducer", "Producer"):
        from driftloop import producing

        return getattr(producing, name)
    raise AttributeError(f"module 'driftloop' has no attribute {name!r}")
