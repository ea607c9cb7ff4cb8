"""What registered projects say, from their archives; each model's newest is kept."""

from driftloop.project.model import Project
from driftloop.registry.fold import ProjectRef
from driftloop.telemetry import get_logger
from driftloop_registry.stored_models import Store, archived_project

log = get_logger(__name__)


class ProjectSettings:
    """For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[ProjectRef, Project]] = {}  # by model

    def of(self, ref: ProjectRef) -> Project | None:
        """None when the archive is not there as it was named. Raises TransientError."""
        known = self._known.get(ref.model)
        if known is not None and known[0] == ref:
            return known[1]
        project, problem = archived_project(self._store, ref.project, ref.stream, ref.model, ref.archive)
        if project is None:
            log.warning("project-not-read", project=ref.project, archive=ref.archive, reason=problem)
            return None
        self._known[ref.model] = ref, project
        return project
