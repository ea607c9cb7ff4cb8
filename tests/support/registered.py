"""A project as `driftloop up` registers it, for tests that write the registry's log themselves."""

from datetime import datetime

from driftloop.contracts.commands import RegisterProject
from driftloop.contracts.values import PromotionRules
from driftloop.ports import ObjectStore
from driftloop.project.model import Project, archive_key


def register_command(project: Project, store: ObjectStore, at: datetime, command_id: str | None = None) -> RegisterProject:
    """Its archive is in the store then."""
    store.put(archive_key(project.name, project.digest()), project.archive())
    return RegisterProject(
        command_id=command_id or f"{project.name}-project",
        at=at,
        actor="test",
        reason="test",
        project=project.name,
        stream=project.stream,
        model=project.model,
        archive=project.digest(),
        schema_fingerprint=project.schema.fingerprint(),
        promotion=PromotionRules(),
        stream_schema=project.schema,
    )
