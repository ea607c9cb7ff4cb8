"""Putting a project and its versions into the registry log, without a registry process."""

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from bench.surroundings import Surroundings
from driftloop.adapters.kafka import Publisher, create_topics
from driftloop.artifact.model_files import CARD, LINEAGE, MODEL, PROFILE, Manifest, store_model, stored_files
from driftloop.contracts.commands import Command, MoveAlias, RegisterProject, RegisterVersion
from driftloop.contracts.topics import REGISTRY_LOG, stream_topics
from driftloop.contracts.values import PromotionRules, TrainingPins
from driftloop.ports import MessageProducer
from driftloop.project.model import Project, archive_key


class Registered:
    """A registered project. Versions count from 1; an alias's epoch counts its moves."""

    def __init__(self, around: Surroundings, producer: MessageProducer, project: Project) -> None:
        self.project = project
        self._store, self._publisher = around.store, Publisher(producer, source="driftloop/bench")
        self.versions = 0
        self._epochs: dict[str, int] = {}
        create_topics(around.addresses.kafka_bootstrap, stream_topics(project.stream))
        self._store.put(archive_key(project.name, project.digest()), project.archive())
        self._append(
            RegisterProject,
            project=project.name,
            stream=project.stream,
            model=project.model,
            archive=project.digest(),
            schema_fingerprint=project.schema.fingerprint(),
            promotion=PromotionRules(),
        )

    def add_version(
        self, skops: bytes, profile: bytes, *, pins: TrainingPins | None = None, environment: dict[str, Any] | None = None
    ) -> str:
        """Store and register a version; the digest of its manifest, another one each time."""
        pins, request_id = pins or _pins(), f"bench-{self.versions + 1}"
        contents = {MODEL: skops, PROFILE: profile, CARD: b"# bench\n", LINEAGE: _lineage(self.project, request_id, pins)}
        manifest = Manifest(
            model=self.project.model,
            request_id=request_id,
            schema_fingerprint=self.project.schema.fingerprint(),
            recipe="all",
            rows=0,
            pins=pins,
            measurements=None,
            environment=environment or {},
            files=stored_files(contents),
        )
        digest = store_model(self._store, manifest, contents)
        self._append(RegisterVersion, model=self.project.model, request_id=request_id, manifest=digest, pins=pins)
        self.versions += 1
        return digest

    def promote(self, version: int) -> None:
        """Move the alias; returns once the log holds it."""
        self.point("champion", version)

    def point(self, alias: str, version: int) -> None:
        """The same of any alias."""
        self._append(MoveAlias, model=self.project.model, alias=alias, version=version, expected_epoch=self._epochs.get(alias, 0))
        self._epochs[alias] = self._epochs.get(alias, 0) + 1

    @property
    def epoch(self) -> int:
        """Of the champion."""
        return self._epochs.get("champion", 0)

    def _append(self, kind: type[Command], **fields: Any) -> None:
        command_id = uuid.uuid4().hex
        command = kind(command_id=command_id, at=datetime.now(UTC), actor="bench", reason="bench", **fields)
        self._publisher.publish(REGISTRY_LOG, command, key=self.project.name, id=command_id)


def _lineage(project: Project, request_id: str, pins: TrainingPins) -> bytes:
    """As far as others read it."""
    pipeline = hashlib.sha256(project.files["pipeline.py"]).hexdigest()
    known = {"model": project.model, "request_id": request_id, "pins": pins, "stream": project.stream, "recipe": "all", "rows": 0}
    return msgspec.json.encode(known | {"pipeline_sha256": pipeline}, order="deterministic")


def _pins() -> TrainingPins:
    digest = hashlib.sha256(b"bench").hexdigest()
    return TrainingPins(
        snapshot=digest,
        project=digest,
        environment=digest,
        code="bench",
        seed=0,
        threads=1,
        evaluation_window=None,
        champion_version=None,
        champion_epoch=0,
    )
