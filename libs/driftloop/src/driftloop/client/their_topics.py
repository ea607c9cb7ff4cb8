"""Topics that a team has already: what is in them, and whether a project's mapping fits. Reads, and changes nothing."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from driftloop.adapters.kafka import topic_settings
from driftloop.adapters.schema_registry import SchemaRegistry, schema_registry_settings
from driftloop.client.connections import Connections
from driftloop.client.topic_sample import newest_records
from driftloop.contracts.existing_topics import TopicMapping
from driftloop.contracts.topics import inferences
from driftloop.contracts.values import Part
from driftloop.errors import ConfigurationError, UserError
from driftloop.ports import Record, Schemas
from driftloop.project.model import Project
from driftloop.project.reading import read_project
from driftloop.rows.existing.contents import TopicContents, contents
from driftloop.rows.existing.labels import ExistingLabels
from driftloop.rows.existing.requests import ExistingRequests
from driftloop.rows.existing.whole import WholeRecords
from driftloop.settings import Environment

MOST_REASONS = 10
SHORT_RETENTION_MS = 86_400_000


class TopicCheck(Part, frozen=True, kw_only=True):
    """``role``: requests or labels. ``problems`` keep rows from being read; ``warnings`` do not. ``missing``: share of rows, by column."""

    role: str
    topic: str
    records: int = 0
    readable: int = 0
    rejected: dict[str, int] = {}  # noqa: RUF012 - a Struct copies it
    missing: dict[str, float] = {}  # noqa: RUF012
    earliest: datetime | None = None
    latest: datetime | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def topic_contents(to: Connections, topic: str, limit: int) -> TopicContents:
    """Raises UserError for a topic that is not there, may not be read or holds nothing; TransientError."""
    partitions, records = newest_records(to, topic, limit)
    if not records:
        raise UserError(f"topic {topic} holds no records, so there is nothing to look at")
    try:
        whole = WholeRecords(_schemas())
        return contents(topic, partitions, [(record, whole.read(record)) for record in records])
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc


def topic_checks(to: Connections, folder: Path, limit: int) -> list[TopicCheck]:
    """Of the topics that a project names. Raises UserError for a project that is wrong or names none, TransientError."""
    project = read_project(folder)
    if project.requests is None and project.labels is None:
        raise UserError(f"{folder}: neither [stream.requests] nor [stream.labels] names a topic; the stream's own need no mapping")
    found = []
    try:
        schemas = _schemas()
        if (mapping := project.requests) is not None:
            found.append(_check(to, project, "requests", mapping, limit, lambda: _requests(project, mapping, schemas)))
        if (labels := project.labels) is not None:
            found.append(_check(to, project, "labels", labels, limit, lambda: _labels(project, labels, schemas)))
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc
    return found


Read = Callable[[Sequence[Record]], tuple[pa.Table, list[str]]]


def _requests(project: Project, mapping: TopicMapping, schemas: Schemas | None) -> Read:
    decoder = ExistingRequests(project.schema, mapping, schemas)

    def read(records: Sequence[Record]) -> tuple[pa.Table, list[str]]:
        found = decoder.decode_records(records)
        return found.rows, [why for _, why in found.rejected]

    return read


def _labels(project: Project, mapping: TopicMapping, schemas: Schemas | None) -> Read:
    decoder = ExistingLabels(project.schema, mapping, schemas)

    def read(records: Sequence[Record]) -> tuple[pa.Table, list[str]]:
        found = decoder.decode_batch(records)
        return found.rows, [why for _, why in found.rejected]

    return read


def _check(to: Connections, project: Project, role: str, mapping: TopicMapping, limit: int, decoder: Callable[[], Read]) -> TopicCheck:
    try:
        partitions, records = newest_records(to, mapping.topic, limit)
    except UserError as exc:
        return TopicCheck(role=role, topic=mapping.topic, problems=(str(exc),))
    problems, warnings = _settings(to, mapping.topic)
    if role == "requests":
        problems += _narrow(to, project, partitions)
    if not records:
        return TopicCheck(role=role, topic=mapping.topic, problems=tuple(problems), warnings=(*warnings, "the topic holds no records yet"))
    rows, rejected = decoder()(records)
    times = rows.column("event_time").to_pylist()
    ahead = sum(time > datetime.now(UTC) + project.ahead for time in times) if project.ahead is not None else 0
    if ahead:
        warnings.append(f"{ahead:,} event times lie in the future: is time_format right? Else the project says: [stream] clock = 'replay'")
    ids = rows.column("event_id")
    if role == "requests" and (again := len(ids) - len(ids.unique())):
        warnings.append(f"{again:,} event ids are there more than once: of requests with one id the first counts")
    return TopicCheck(
        role=role,
        topic=mapping.topic,
        records=len(records),
        readable=rows.num_rows,
        rejected=dict(Counter(rejected).most_common(MOST_REASONS)),
        missing={name: rows.column(name).null_count / rows.num_rows for name in rows.column_names if rows.num_rows},
        earliest=min(times, default=None),
        latest=max(times, default=None),
        problems=tuple(problems),
        warnings=tuple(warnings),
    )


def _settings(to: Connections, topic: str) -> tuple[list[str], list[str]]:
    """Of a topic that is theirs: what keeps rows from being read, and what a person should know."""
    try:
        settings: dict[str, Any] = topic_settings(to.kafka, topic)
    except ConfigurationError:
        return [], ["this user may not see the topic's settings (DescribeConfigs), and services compare them when they start"]
    warnings = []
    retention = int(settings.get("retention.ms", -1))
    if 0 <= retention < SHORT_RETENTION_MS:
        warnings.append(
            f"records are kept for {retention / 3_600_000:.1f} h: a service that is away for longer loses rows, and stops at the gap"
        )
    if "compact" in settings.get("cleanup.policy", ""):
        warnings.append("the topic is compacted: of records with one key only the last is sure to be read")
    if settings.get("message.timestamp.type") == "CreateTime":
        warnings.append('timestamps are the producers\': what is mapped to "@timestamp" is as right as their clocks')
    return [], warnings


def _narrow(to: Connections, project: Project, partitions: int) -> list[str]:
    name = inferences(project.stream)
    try:
        ours = to.topics.describe([name])[name].partitions
    except ConfigurationError:
        return []  # not made yet: it will be as wide
    if ours >= partitions:
        return []
    return [f"{name} has {ours} partitions and the topic {partitions}: driftloop partitions add {project.stream} {partitions}"]


def _schemas() -> Schemas | None:
    settings = schema_registry_settings(Environment("cli"))
    return SchemaRegistry(settings) if settings is not None else None
