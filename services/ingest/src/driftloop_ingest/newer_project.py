"""Rows with a feature that this process does not know: from a predictor that has the project's newest archive already?"""

from driftloop.errors import TransientError
from driftloop.project.model import Project
from driftloop.registry.fold import RegistryReader
from driftloop.service.project import project_refs

LOG_SECONDS = 10.0


class NewerProject:
    """Asks the registry's log, up to its end at the moment."""

    def __init__(self, project: Project, reader: RegistryReader) -> None:
        self._name, self._archive, self._reader = project.name, project.digest(), reader

    def wait_for_restart(self) -> None:
        """Raises TransientError when there is a newer archive, with which this process is about to start again; returns when
        there is none. The predictor folded the archive's record before it sent such rows, so the log holds it by now."""
        ref = project_refs(self._reader.sync(LOG_SECONDS)).get(self._name)
        if ref is not None and ref.archive != self._archive:
            raise TransientError(f"rows of the newer archive {ref.archive} wait until this process has started again with it")
