"""What runs, how far each topic is behind, and who is champion."""

import time
from datetime import UTC, datetime, timedelta

from driftloop.adapters.kafka import KafkaTopics
from driftloop.client.models import ModelSummary, models
from driftloop.client.registry_client import RegistryClient
from driftloop.client.service_status import ServiceStatus, asked, samples_of, seen, sentences
from driftloop.client.status_words import Sentence
from driftloop.contracts.topics import quarantine
from driftloop.contracts.values import ModelName, Part, Time
from driftloop.errors import ConfigurationError
from driftloop.history.lake_lag import LakeLag, TopicLag
from driftloop.installation import Installation
from driftloop.ports import TopicPartition, Topics
from driftloop.registry.records import CanaryRecord

RECENT = timedelta(hours=1)


class ModelStatus(Part, frozen=True, kw_only=True):
    """A model's champion; ``epoch`` 0: there never was one."""

    model: ModelName
    versions: int
    champion: int | None
    epoch: int
    since: Time | None
    canary: CanaryRecord | None = None  # who answers a share of the entities beside it


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
    before, since = samples_of(installation.services), time.monotonic()
    told = asked(installation.services)
    lag = tuple(lag for model in known if model.project is not None for lag in _known_lag(installation, model.project.stream))
    topics = KafkaTopics(installation.kafka, client_id="driftloop-status")
    recent = {model.project.project: quarantined(topics, model.project.stream) for model in known if model.project is not None}
    seconds, now = time.monotonic() - since, samples_of(installation.services)
    found = [seen(status, about, before[status.instance], now[status.instance], seconds) for status, about in told]
    return Status(
        services=tuple(status for status, _ in told),
        models=tuple(_champion(model) for model in known),
        lag=lag,
        words=tuple(sentences(found, recent, installation.restarts, installation.failures)),
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


def _champion(model: ModelSummary) -> ModelStatus:
    champion = model.aliases.get("champion")
    return ModelStatus(
        model=model.model,
        versions=model.versions,
        champion=champion.version if champion else None,
        epoch=champion.epoch if champion else 0,
        since=champion.since if champion else None,
        canary=model.canary,
    )
