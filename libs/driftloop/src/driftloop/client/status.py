"""What runs, how far each topic is behind, and who is champion."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec

from driftloop.adapters.kafka import KafkaTopics
from driftloop.client.models import ModelSummary, models
from driftloop.client.registry_client import RegistryClient
from driftloop.client.samples import Samples, ask_for_samples
from driftloop.client.status_words import Seen, Sentence, project_sentences, stack_sentences
from driftloop.contracts.services import PREDICTOR, SERVICES
from driftloop.contracts.topics import quarantine
from driftloop.contracts.values import ModelName, Part, Time
from driftloop.errors import ConfigurationError
from driftloop.history.lake_lag import LakeLag, TopicLag
from driftloop.installation import Installation
from driftloop.ports import TopicPartition, Topics

ANSWER_SECONDS = 2
ASKED_AT_ONCE = 8
RECENT = timedelta(hours=1)


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
    """``lag``: of the topics of every registered stream that has them; one whose topics were deleted has none.

    ``words``: what an operator must know, of each project and of the stack, from the same metrics as the alerts.
    """

    services: tuple[ServiceStatus, ...]
    models: tuple[ModelStatus, ...]
    lag: tuple[TopicLag, ...]
    words: tuple[Sentence, ...] = ()


def status(installation: Installation) -> Status:
    """A service that does not answer is down; that is no error. Raises TransientError when registry, broker or store do not."""
    known = models(RegistryClient(installation.registry_url))
    before, since = _samples(installation.services), time.monotonic()
    told = _asked(installation.services)
    lag = tuple(lag for model in known if model.project is not None for lag in _known_lag(installation, model.project.stream))
    topics = KafkaTopics(installation.kafka, client_id="driftloop-status")
    recent = {model.project.project: quarantined(topics, model.project.stream) for model in known if model.project is not None}
    seconds, now = time.monotonic() - since, _samples(installation.services)
    seen = [_seen(status, about, before[status.instance], now[status.instance], seconds) for status, about in told]
    return Status(
        services=tuple(status for status, _ in told),
        models=tuple(_champion(model) for model in known),
        lag=lag,
        words=tuple(_sentences(installation, seen, recent)),
    )


def quarantined(topics: Topics, stream: str) -> int | None:
    """Messages of the last hour. None when there is no such topic. Raises TransientError."""
    name, since = quarantine(stream), datetime.now(UTC) - RECENT
    try:
        partitions = [TopicPartition(name, p) for p in range(topics.describe([name])[name].partitions)]
    except ConfigurationError:
        return None
    consumer = topics.reader(partitions)
    try:
        then, ends = consumer.offsets_at(partitions, int(since.timestamp() * 1000)), consumer.end_offsets(partitions)
        return sum(ends[tp] - then[tp] for tp in partitions)
    finally:
        consumer.close()


def service_statuses(services: dict[str, str]) -> tuple[ServiceStatus, ...]:
    """Of each instance, by its URL."""
    return tuple(status for status, _ in _asked(services))


def stream_lag(installation: Installation, stream: str) -> tuple[TopicLag, ...]:
    """Messages of each data topic that the lake does not account for yet. Raises TransientError, ConfigurationError."""
    with LakeLag(KafkaTopics(installation.kafka, client_id="driftloop-status"), installation.s3, stream) as lag:
        return lag.measure()


def _known_lag(installation: Installation, stream: str) -> tuple[TopicLag, ...]:
    """Nothing for a stream without its topics: the others are still to be told about."""
    try:
        return stream_lag(installation, stream)
    except ConfigurationError:
        return ()


def _sentences(installation: Installation, seen: list[Seen], recent: dict[str, int | None]) -> Iterator[Sentence]:
    for project in dict.fromkeys((*recent, *(one.project for one in seen if one.project is not None))):
        mine = [one for one in seen if one.project == project]
        yield from project_sentences(project, mine, recent.get(project), datetime.now(UTC))
    yield from stack_sentences(seen, installation.restarts, installation.failures)


def _seen(status: ServiceStatus, told: dict[str, Any], before: Samples | None, now: Samples | None, seconds: float) -> Seen:
    says = status.says if isinstance(status.says, dict) else {}
    not_ready = str(says.get("reason") or "it does not say why") if status.state == "not ready" else None
    return Seen(status.instance, _project(status), told, before, now, seconds, not_ready)


def _project(status: ServiceStatus) -> str | None:
    return status.project if isinstance(status.project, str) else None


def _samples(services: dict[str, str]) -> dict[str, Samples | None]:
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        found = {name: pool.submit(ask_for_samples, url, timeout_seconds=ANSWER_SECONDS) for name, url in services.items()}
    return {name: asked.result() for name, asked in found.items()}


def _asked(services: dict[str, str]) -> list[tuple[ServiceStatus, dict[str, Any]]]:
    """With what each says at /status; nothing where it does not answer."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(lambda item: _service(*item), sorted(services.items())))


def _service(instance: str, url: str) -> tuple[ServiceStatus, dict[str, Any]]:
    verify = url.startswith("https:")
    try:
        ready = httpx.get(f"{url}/readyz", timeout=ANSWER_SECONDS, verify=verify)
        state, says = "ready" if ready.status_code == 200 else "not ready", ready.json()
    except (httpx.HTTPError, ValueError) as exc:
        state, says = "down", {"error": type(exc).__name__}
    try:
        answer = httpx.get(f"{url}/status", timeout=ANSWER_SECONDS, verify=verify).json()
    except (httpx.HTTPError, ValueError):
        answer = None
    told = answer if isinstance(answer, dict) else {}
    service = SERVICES.get(instance.rpartition("-")[0])
    if service is None or not service.for_project:
        return ServiceStatus(instance=instance, url=url, state=state, says=says), told
    environment = told.get("environment") if service is PREDICTOR else msgspec.UNSET
    project = told.get("project")
    return ServiceStatus(instance=instance, url=url, state=state, says=says, project=project, environment=environment), told


def _champion(model: ModelSummary) -> ModelStatus:
    champion = model.aliases.get("champion")
    return ModelStatus(
        model=model.model,
        versions=model.versions,
        champion=champion.version if champion else None,
        epoch=champion.epoch if champion else 0,
        since=champion.since if champion else None,
    )
