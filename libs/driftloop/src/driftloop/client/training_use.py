"""Who was trained on which snapshot, asked of the registry and of the training runs' topic."""

from driftloop.client.connections import Connections
from driftloop.client.models import all_models
from driftloop.client.told_events import runs
from driftloop.history.training_use import TrainedOn, trained_on


def training_use(to: Connections) -> dict[str, list[TrainedOn]]:
    """Runs and versions by snapshot digest. Raises TransientError.

    A run that cannot be read names no snapshot: the services have said so, and it is passed over here.
    """
    versions = [version for model in all_models(to.registry) for version in model.versions]
    return trained_on(versions, runs(to.topics, say=lambda _: None))
