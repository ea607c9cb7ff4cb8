"""Who answers: a model of ours that this process serves, or another system, whose answers it records."""

import threading
import time
from collections.abc import Callable, Set

from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import VersionSeen
from driftloop.contracts.topics import VERSIONS_SEEN
from driftloop.contracts.watched import MOST_WATCHED
from driftloop.errors import TransientError
from driftloop.ports import EventPublisher
from driftloop.project.model import Project
from driftloop.registry.state import ModelState
from driftloop.rows.answers import AnswerReader
from driftloop.service.project import FollowedRegistry
from driftloop.telemetry import get_logger
from driftloop_predictor.answers_topic import AnswersTopic
from driftloop_predictor.model import ModelFollower
from driftloop_predictor.serving import Answerer
from driftloop_predictor.watching import AnswerSource, Watching

TELL_AGAIN_SECONDS = 5.0

log = get_logger(__name__)


class WhoAnswers:
    """By what the registry says now: the alias champion decides, and no restart is needed when it moves to a version of ours or back."""

    def __init__(
        self,
        project: Project,
        registry: FollowedRegistry,
        model: ModelFollower,
        events: EventPublisher,
        joined: AnswersTopic | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``joined``: where the answers are on a topic of their own."""
        self._project, self._registry, self._model, self._events, self._now = project, registry, model, events, monotonic
        in_requests = AnswerReader(project.schema, project.answers) if project.served_by == "elsewhere" else None
        self._source: AnswerSource | None = joined or in_requests
        self._told: dict[str, float] = {}
        self._telling = threading.Lock()

    def now(self) -> Answerer | None:
        """None: nobody, rows are recorded without an answer. Raises TransientError while it is not known who does."""
        serving = self._model.serving
        if self._source is None:
            return serving
        state = self._registry.state().model(self._project.model)
        if self._registry.caught_up and (state is None or state.answered_elsewhere):
            return self._watching(self._source, state)
        if serving is not None:
            return serving
        if not self._registry.caught_up:
            raise TransientError("the registry log has not been read, so it is not known whether the model is served elsewhere")
        if self._model.loadable:
            raise TransientError("the champion is being loaded; until then the model is served elsewhere")
        return self._watching(self._source, state)  # a champion that cannot be loaded: the other system's answers are still there

    def make_known(self, names: Set[str]) -> None:
        """Tell the registry of versions that it does not know. From any thread. Raises TransientError."""
        with self._telling:
            now = self._now()
            self._told = {name: at for name, at in self._told.items() if now - at < TELL_AGAIN_SECONDS}
            for name in names - self._told.keys():
                seen = VersionSeen(model=self._project.model, served_as=name)
                self._events.publish(VERSIONS_SEEN, seen, key=seen.model, id=caused_id("seen", seen.model, name))
                self._told[name] = now
                log.info("version-seen", model=seen.model, served_as=name)

    def watched(self) -> dict[str, int] | None:
        """For /status: our numbers of the versions that are served elsewhere, while they are those that answer."""
        state = self._registry.state().model(self._project.model)
        if self._source is None or state is None or not state.answered_elsewhere:
            return None
        return state.watched_versions()

    @staticmethod
    def _watching(source: AnswerSource, state: ModelState | None) -> Watching:
        versions = state.watched_versions() if state is not None else {}
        return Watching(source, versions, len(versions) >= MOST_WATCHED)
