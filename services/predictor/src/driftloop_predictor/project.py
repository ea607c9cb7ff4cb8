"""The project to serve: as registered, or as kept on disk when the registry log cannot be read."""

from driftloop.errors import ConfigurationError, IntegrityError, ObjectNotFound, TransientError
from driftloop.ports import ObjectStore
from driftloop.project.archives import kept_project, load_project
from driftloop.project.model import Project, archive_key
from driftloop.registry.fold import ProjectRef
from driftloop.service.process import Stop
from driftloop.service.project import FollowedRegistry, ProjectChoice, project_refs
from driftloop.telemetry import get_logger
from driftloop_predictor.last_good import KeptProject, LastGood

log = get_logger(__name__)


def find_project(
    registry: FollowedRegistry, store: ObjectStore, choice: ProjectChoice, stop: Stop, *, kept: LastGood[KeptProject]
) -> Project:
    """Waits for the project of this choice. Raises Stopped when the stop came first.

    While the log has not been read, what is on disk counts; once it has, the registered archive does, from disk or store.
    """
    said = False
    while True:
        stop.check()
        if registry.caught_up:
            refs = project_refs(registry.state())
            ref = choice.of(refs)
            if ref is not None:
                project = _registered(store, kept, ref)
                if project is not None:
                    return project
            elif not said:
                said = True
                log.info("waiting-for-project", project=choice.hint, registered=sorted(refs))
        else:
            project = _kept(kept, choice.named, None)
            if project is not None:
                log.warning("project-from-disk", project=project.name, reason="the registry log cannot be read")
                return project
        stop.wait(0.5)


def _registered(store: ObjectStore, kept: LastGood[KeptProject], ref: ProjectRef) -> Project | None:
    project = _kept(kept, ref.project, ref.archive)
    if project is not None:
        return project
    try:
        project = load_project(store, ref)
    except (TransientError, ConfigurationError, ObjectNotFound, IntegrityError) as exc:
        log.warning("project-not-loaded", project=ref.project, reason=str(exc))
        return None
    try:
        kept.keep(KeptProject(project=ref.project, archive=ref.archive), {archive_key(ref.project, ref.archive): project.archive()})
    except OSError as exc:  # a full disk: the next start needs the store
        log.warning("project-not-kept", project=ref.project, reason=str(exc))
    return project


def _kept(kept: LastGood[KeptProject], name: str | None, archive: str | None) -> Project | None:
    pointer = kept.pointer()
    if pointer is None or (name is not None and pointer.project != name) or (archive is not None and pointer.archive != archive):
        return None
    try:
        return kept_project(kept, pointer.project, pointer.archive)
    except (ObjectNotFound, IntegrityError) as exc:
        log.warning("project-not-kept", project=pointer.project, reason=str(exc))
        return None
