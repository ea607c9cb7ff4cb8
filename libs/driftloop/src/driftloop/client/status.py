"""What runs, how far each topic is behind, and who is champion."""

from typing import Any

import httpx
import msgspec

from driftloop.adapters.kafka import KafkaTopics
from driftloop.client.models import ModelSummary, models
from driftloop.client.registry_client import RegistryClient
from driftloop.contracts.services import PREDICTOR, SERVICES
from driftloop.contracts.values import ModelName, Part, Time
from driftloop.errors import ConfigurationError
from driftloop.history.lake_lag import LakeLag, TopicLag
from driftloop.installation import Installation

ANSWER_SECONDS = 2


class ServiceStatus(Part, frozen=True, kw_only=True):
    """An instance with what it says of itself; ``state`` is ready, not ready or down.

    ``project``: that it works for; null while it waits for one, not there for services that work for all of them.
    ``environment``: what a predictor says of the environment that its champion was fitted in, null while it says nothing;
    not there for other services, which score nothing.
    """

    instance: str
    url: str
    state: str
    says: Any
    project: str | msgspec.UnsetType | None = msgspec.UNSET
    environment: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET


class ModelStatus(Part, frozen=True, kw_only=True):
    """A model's champion; ``epoch`` 0: there never was one."""

    model: ModelName
    versions: int
    champion: int | None
    epoch: int
    since: Time | None


class Status(Part, frozen=True, kw_only=True):
    """``lag``: of the topics of every registered stream that has them; one whose topics were deleted has none."""

    services: tuple[ServiceStatus, ...]
    models: tuple[ModelStatus, ...]
    lag: tuple[TopicLag, ...]


def status(installation: Installation) -> Status:
    """A service that does not answer is down; that is no error. Raises TransientError when registry, broker or store do not."""
    known = models(RegistryClient(installation.registry_url))
    return Status(
        services=service_statuses(installation.services),
        models=tuple(_champion(model) for model in known),
        lag=tuple(lag for model in known if model.project is not None for lag in _known_lag(installation, model.project.stream)),
    )


def service_statuses(services: dict[str, str]) -> tuple[ServiceStatus, ...]:
    """Of each instance, by its URL."""
    return tuple(_service(instance, url) for instance, url in sorted(services.items()))


def stream_lag(installation: Installation, stream: str) -> tuple[TopicLag, ...]:
    """Messages of each data topic that the lake does not account for yet. Raises TransientError, ConfigurationError."""
    with LakeLag(KafkaTopics(installation.kafka_bootstrap, client_id="driftloop-status"), installation.s3, stream) as lag:
        return lag.measure()


def _known_lag(installation: Installation, stream: str) -> tuple[TopicLag, ...]:
    """Nothing for a stream without its topics: the others are still to be told about."""
    try:
        return stream_lag(installation, stream)
    except ConfigurationError:
        return ()


def _service(instance: str, url: str) -> ServiceStatus:
    verify = url.startswith("https:")
    try:
        ready = httpx.get(f"{url}/readyz", timeout=ANSWER_SECONDS, verify=verify)
        state, says = "ready" if ready.status_code == 200 else "not ready", ready.json()
    except (httpx.HTTPError, ValueError) as exc:
        state, says = "down", {"error": type(exc).__name__}
    service = SERVICES.get(instance.rpartition("-")[0])
    if service is None or not service.for_project:
        return ServiceStatus(instance=instance, url=url, state=state, says=says)
    try:
        told = httpx.get(f"{url}/status", timeout=ANSWER_SECONDS, verify=verify).json()
    except (httpx.HTTPError, ValueError):
        told = {}
    environment = told.get("environment") if service is PREDICTOR else msgspec.UNSET
    return ServiceStatus(instance=instance, url=url, state=state, says=says, project=told.get("project"), environment=environment)


def _champion(model: ModelSummary) -> ModelStatus:
    champion = model.aliases.get("champion")
    return ModelStatus(
        model=model.model,
        versions=model.versions,
        champion=champion.version if champion else None,
        epoch=champion.epoch if champion else 0,
        since=champion.since if champion else None,
    )
