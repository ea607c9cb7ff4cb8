"""Sending rows, labels and watermarks from an application: ``driftloop.Producer``, and ``driftloop.AsyncProducer`` for asyncio."""

from driftloop.producing.async_producer import AsyncProducer
from driftloop.producing.messages import Delivered, Failed, Sent, SentRows
from driftloop.producing.producer import Producer

__all__ = ["AsyncProducer", "Delivered", "Failed", "Producer", "Sent", "SentRows"]
