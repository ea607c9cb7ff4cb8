"""Registering a project: its archive into the store, its topics onto the broker, a command into the log."""

import getpass
from pathlib import Path
from typing import Any

from driftloop.adapters.kafka import create_topics, partitions_of
from driftloop.adapters.kafka_rights import give_rights
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.client.broker_rights import principals
from driftloop.client.registry_client import RegistryClient
from driftloop.contracts.broker_rights import rights
from driftloop.contracts.topics import CONTROL_TOPICS, DEFAULT_PARTITIONS, stream_topics
from driftloop.errors import ConfigurationError, UserError
from driftloop.installation import Installation
from driftloop.project.model import Project, archive_key
from driftloop.project.reading import read_project
from driftloop.settings import Environment, replication


def register_project(folder: Path, installation: Installation) -> Project:
    """Make ``folder`` the current project of its model. Doing it twice does it once.

    Raises UserError for a project that is wrong, TransientError when store, broker or registry do not answer.
    """
    project = read_project(folder)
    MinioObjectStore(installation.s3).put(archive_key(project.name, project.digest()), project.archive())
    theirs = stream_topics(project.stream, _partitions(project, installation), project.retention_ms, project.existing)
    topics = [*CONTROL_TOPICS, *theirs]  # one of ours may have been deleted
    env = Environment("cli")
    replicas = replication(env)
    if env.optional("KAFKA_GIVE_RIGHTS") == "true":
        give_rights(installation.kafka, rights([project.stream], {project.stream: project.existing}), principals({}))
    # Services look for their topics as soon as the project is known; the settings of topics that are there may be another project's.
    create_topics(installation.kafka, topics, replication=replicas, alter=False)
    RegistryClient(installation.registry_url).change("/projects", _registration(project))
    create_topics(installation.kafka, topics, replication=replicas)
    return project


def _partitions(project: Project, installation: Installation) -> int:
    """Of topics that are made. Those of somebody else's requests are as many as they are, and what is made of them goes to as many."""
    if project.existing.requests is None:
        return DEFAULT_PARTITIONS
    try:
        return max(DEFAULT_PARTITIONS, partitions_of(installation.kafka, project.existing.requests))
    except ConfigurationError as exc:
        raise UserError(f"[stream.requests] of {project.name}: {exc}") from exc


def _registration(project: Project) -> dict[str, Any]:
    """Which archive; what is in it the registry reads there."""
    return {
        "project": project.name,
        "stream": project.stream,
        "model": project.model,
        "archive": project.digest(),
        "actor": getpass.getuser(),
        "reason": "driftloop up --project",
    }
