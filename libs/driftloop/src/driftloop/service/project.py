"""The project that a service works for, as the registry log names it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from driftloop.errors import ObjectNotFound, TransientError
from driftloop.ports import ObjectStore
from driftloop.project.archives import load_project
from driftloop.project.model import Project
from driftloop.registry.fold import ProjectRef, RegistryReader, RegistryState
from driftloop.service.process import EXIT_RESTART, Stop
from driftloop.telemetry import get_logger

log = get_logger(__name__)


class FollowedRegistry(RegistryReader, Protocol):
    """The registry as a thread of this process goes on folding it."""

    @property
    def caught_up(self) -> bool:
        """Whether the log has been folded to its end once."""

    def subscribe(self, callback: Callable[[RegistryState], None]) -> None:
        """Call ``callback`` with every new state, in the thread that folds."""


def project_refs(state: RegistryState) -> dict[str, ProjectRef]:
    """Registered projects by name."""
    return {m.project.project: m.project for m in state.models.values() if m.project is not None}


def chosen(refs: Mapping[str, ProjectRef], name: str | None) -> ProjectRef | None:
    """The registered project ``name``; without a name, the only one registered. None when there is none such."""
    return refs.get(name) if name else next(iter(refs.values())) if len(refs) == 1 else None


def wait_for_project(registry: FollowedRegistry, store: ObjectStore, name: str | None, stop: Stop) -> Project:
    """The project ``name``, or the only one registered; waits for it. Raises Stopped when the stop came first."""
    said = False
    while True:
        stop.check()
        refs = project_refs(registry.state())
        ref = chosen(refs, name)
        if ref is not None:
            try:
                return load_project(store, ref)
            except (TransientError, ObjectNotFound) as exc:
                log.warning("project-not-loaded", project=ref.project, reason=str(exc))
        elif not said:
            said = True
            log.info("waiting-for-project", project=name, registered=sorted(refs))
        stop.wait(0.5)


def restart_on_new_archive(state: RegistryState, project: Project, stop: Stop) -> None:
    """Subscribe this to the follower: a service whose project has a new archive drains and starts again with it."""
    ref = project_refs(state).get(project.name)
    if ref is not None and ref.archive != project.digest() and not stop.requested():
        log.info("project-changed", project=project.name, archive=ref.archive)
        stop.request(EXIT_RESTART)
