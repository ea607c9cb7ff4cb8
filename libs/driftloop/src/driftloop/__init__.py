"""Closed-loop MLOps on Apache Kafka. ``driftloop.Client()`` reads the lake."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftloop.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    """Loaded when it is asked for: services and commands do without."""
    if name == "Client":
        from driftloop.client import Client

        return Client
    raise AttributeError(f"module 'driftloop' has no attribute {name!r}")
