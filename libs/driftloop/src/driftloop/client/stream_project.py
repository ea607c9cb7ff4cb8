"""The project of a stream, as it is registered now."""

from driftloop.client.connections import Connections
from driftloop.client.models import models
from driftloop.errors import ObjectNotFound
from driftloop.project.model import Project, archive_key
from driftloop.project.reading import open_archive


def project_of(to: Connections, stream: str) -> Project | None:
    """None where no project of this stream is registered, or its archive is gone. Raises TransientError."""
    found = next((model.project for model in models(to.registry) if model.project is not None and model.project.stream == stream), None)
    if found is None:
        return None
    try:
        return open_archive(to.store.get(archive_key(found.project, found.archive)))
    except ObjectNotFound:
        return None
