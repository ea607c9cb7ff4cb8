"""Who was trained on which snapshot, asked of the registry and of the training runs' topic."""

from collections.abc import Iterator

import msgspec

from driftloop.adapters.kafka import stream_topic
from driftloop.cli.context import StackInfo
from driftloop.cli.registry_client import RegistryClient
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import Event
from driftloop.contracts.topics import TRAINING_RUNS
from driftloop.datasets.trained import TrainedOn, trained_on
from driftloop.errors import InvalidMessage
from driftloop.registry.state import ModelVersion


def trained_models(stack: StackInfo) -> dict[str, list[TrainedOn]]:
    """Runs and versions by snapshot digest. Raises TransientError."""
    registry = RegistryClient(stack.registry_url)
    versions = [
        msgspec.convert(version, ModelVersion)
        for model in registry.get("/models")
        for version in registry.get(f"/models/{model['model']}")["versions"]
    ]
    return trained_on(versions, _runs(stack.kafka_bootstrap))


def _runs(bootstrap: str) -> Iterator[Event]:
    for record in stream_topic(bootstrap, TRAINING_RUNS):
        try:
            yield decode_event(record.value, record.headers)[0]
        except InvalidMessage:
            continue  # the services have said so, and it names no snapshot
