"""Which compressions applications can use here: a codec counts when both clients of Kafka that driftloop reads with have it."""

from aiokafka import codec as aio
from kafka import codec as python

# Kafka's names. A codec that a later release can read needs its name here and nothing else; those that are not installed are left out.
CODECS = ("gzip", "snappy", "lz4", "zstd")
NONE = "none"


def installed_codecs() -> tuple[str, ...]:
    """``none`` first."""
    return (NONE, *(name for name in CODECS if all(getattr(client, f"has_{name}")() for client in (python, aio))))
