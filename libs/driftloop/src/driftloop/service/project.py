"""The project that a service works for, as the registry log names it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from driftloop.contracts.names import is_name
from driftloop.errors import ObjectNotFound, TransientError
from driftloop.ports import ObjectStore
from driftloop.project.archives import load_project
from driftloop.project.model import Project
from driftloop.registry.fold import ProjectRef, RegistryReader, RegistryState
from driftloop.service.process import EXIT_RESTART, Stop
from driftloop.telemetry import get_logger

PROJECT_FILE = "project-name"  # in the folder of an instance's state; a predictor's holds a folder ``project``

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


class ProjectChoice(NamedTuple):
    """Which project a service works for: the one that its settings name; else the one that it worked for before, so that a
    project which joins the installation later takes nobody's services away; else the only one registered."""

    named: str | None
    before: str | None = None

    def of(self, refs: Mapping[str, ProjectRef]) -> ProjectRef | None:
        """None when there is none such, or nothing tells which of several."""
        if self.named is not None:
            return refs.get(self.named)
        if self.before is not None and self.before in refs:
            return refs[self.before]
        return next(iter(refs.values())) if len(refs) == 1 else None

    @property
    def hint(self) -> str:
        """What a log says of it while it waits."""
        return self.named or "the only one registered"


def remembered_project(state_dir: Path) -> str | None:
    """The project that an instance with this folder has worked for; None when it has worked for none, or that cannot be read."""
    try:
        name = (state_dir / PROJECT_FILE).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if is_name(name) else None


def remember_project(state_dir: Path, name: str) -> None:
    """Keep it for the next start. A disk that takes nothing costs only the memory, and is told."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        part = state_dir / f"{PROJECT_FILE}.part"
        part.write_text(f"{name}\n")
        part.replace(state_dir / PROJECT_FILE)
    except OSError as exc:
        log.warning("project-not-remembered", project=name, reason=str(exc))


def wait_for_project(registry: FollowedRegistry, store: ObjectStore, choice: ProjectChoice, stop: Stop) -> Project:
    """The project of this choice; waits for it. Raises Stopped when the stop came first."""
    said = False
    while True:
        stop.check()
        refs = project_refs(registry.state())
        ref = choice.of(refs)
        if ref is not None:
            try:
                return load_project(store, ref)
            except (TransientError, ObjectNotFound) as exc:
                log.warning("project-not-loaded", project=ref.project, reason=str(exc))
        elif not said:
            said = True
            log.info("waiting-for-project", project=choice.hint, registered=sorted(refs))
        stop.wait(0.5)


def restart_on_new_archive(state: RegistryState, project: Project, stop: Stop) -> None:
    """Subscribe this to the follower: a service whose project has a new archive drains and starts again with it."""
    ref = project_refs(state).get(project.name)
    if ref is not None and ref.archive != project.digest() and not stop.requested():
        log.info("project-changed", project=project.name, archive=ref.archive)
        stop.request(EXIT_RESTART)
