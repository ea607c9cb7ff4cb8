"""The policy that a project's archive holds: asked of the store once an archive, since an archive never changes."""

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from driftloop.contracts.typed import prepared
from driftloop.errors import TransientError
from driftloop.project.rules import Policy
from driftloop.registry.records import ProjectRef
from driftloop_console.asking import Question, Rules

KEPT = 100


class Policies:
    """For any thread. Raises UserError for an archive that is not there or has none, TransientError while the store is away."""

    def __init__(self, ask: Callable[[Question], dict[str, Any]]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._known: dict[str, Policy] = {}

    def of(self, project: ProjectRef) -> Policy:
        with self._lock:
            known = self._known.get(project.archive)
        if known is not None:
            return known
        told = self._ask(Rules(project=project.project, archive=project.archive))
        try:
            found = msgspec.convert(told, prepared(Policy))
        except msgspec.ValidationError as exc:
            raise TransientError(f"the policy of {project.project} was not told: {exc}") from exc
        with self._lock:
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[project.archive] = found
        return found
