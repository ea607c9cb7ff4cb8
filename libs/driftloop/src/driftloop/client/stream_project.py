"""The project of a stream, as it is registered now."""

from driftloop.client.connections import Connections
from driftloop.client.models import models
from driftloop.errors import ObjectNotFound
from driftloop.project.archives import kept_project
from driftloop.project.model import Project


def project_of(to: Connections, stream: str) -> Project | None:
    """None where no project of this stream is registered, or its archive is gone. Raises TransientError, IntegrityError."""
    found = next((model.project for model in models(to.registry) if model.project is not None and model.project.stream == stream), None)
    if found is None:
        return None
    try:
        return kept_project(to.store, found.project, found.archive)
    except ObjectNotFound:
        return None
