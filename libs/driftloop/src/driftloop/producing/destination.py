"""Where a producer sends to: the stream's schema and the broker, found as commands find them."""

from pathlib import Path
from typing import NamedTuple

from driftloop.adapters.kafka_security import Cluster, cluster_of, kafka_cluster
from driftloop.client.arguments import stream_name
from driftloop.client.models import models
from driftloop.client.registry_client import RegistryClient
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import ConfigurationError, TransientError, UserError
from driftloop.installation import current_installation, named_by_environment
from driftloop.project.model import Project
from driftloop.project.reading import read_project
from driftloop.settings import Environment


class Destination(NamedTuple):
    """``kafka`` None: whoever is given something else to send through does not need it."""

    schema: StreamSchema
    kafka: Cluster | None


def destination(
    stream: str | None, project: Path | str | None, schema: StreamSchema | None, kafka: str | Cluster | None, *, broker: bool = True
) -> Destination:
    """The schema that is given, else that of the project's folder, else the one that the registry has for ``stream``; the broker that
    is given, else that of the stack of this folder, or which DRIFTLOOP_CLI_… names. Raises UserError."""
    if schema is None:
        schema = _registered(stream) if project is None else _ours(read_project(Path(project))).schema
    if stream is not None and schema.stream != stream:
        raise UserError(f"the schema is that of stream {schema.stream!r}, and not of {stream!r}")
    if kafka is None:
        return Destination(schema, _broker() if broker else None)
    return Destination(schema, cluster_of(kafka))


def _ours(project: Project) -> Project:
    """Raises UserError where an application has topics of its own."""
    if project.requests is None and project.labels is None:
        return project
    named = ", ".join(name for name in (project.existing.requests, project.existing.labels) if name is not None)
    raise UserError(f"stream {project.stream!r} reads {named}, which driftloop never writes: send there as you do")


def _registered(stream: str | None) -> StreamSchema:
    if stream is None:
        raise UserError("name the stream, Producer('taxi'), or its project's folder, Producer(project='taxi/')")
    wanted = stream_name(stream)
    try:
        projects = [found.project for found in models(RegistryClient(_registry_url())) if found.project is not None]
    except TransientError as exc:
        raise UserError(f"{exc}; without it give the project's folder: Producer(project=DIR)") from exc
    found = next((project for project in projects if project.stream == wanted), None)
    if found is None:
        known = ", ".join(sorted({project.stream for project in projects})) or "none"
        raise UserError(f"no stream {wanted!r} is registered, only: {known}; register it with: driftloop up --project DIR")
    if found.stream_schema is None:
        raise UserError(f"stream {wanted!r} was registered by an earlier program, without its schema: driftloop up --project DIR once more")
    return found.stream_schema


def _broker() -> Cluster:
    """An application needs no keys of the store, so of the environment no more is asked for than it uses."""
    if not named_by_environment():
        return current_installation().kafka
    try:
        return kafka_cluster(Environment("cli"))
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc


def _registry_url() -> str:
    if not named_by_environment():
        return current_installation().registry_url
    env = Environment("cli")
    try:
        return env.text("REGISTRY_URL")
    except ConfigurationError as exc:
        raise UserError(f"{exc}; or give the project's folder: Producer(project=DIR)") from exc
