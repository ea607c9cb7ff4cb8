"""What every replay does, whoever tells its story: rows sent with their progress shown, and the first version asked for."""

from datetime import datetime

from driftloop.contracts import topics
from driftloop.contracts.codec import caused_id
from driftloop.contracts.events import RetrainRequested, TrainingFailed
from driftloop.contracts.values import Window
from driftloop.errors import TransientError, UserError
from driftloop.history.lake_lag import LakeLag
from driftloop.history.model_history import ModelHistory
from driftloop.ports import EventPublisher
from driftloop.project.model import Project
from driftloop.replay.publishing import Replay, ReplayProgress
from driftloop.replay.screen import Screen
from driftloop.replay.waiting import Settling


class Sending:
    """Publishes stretches of a replay, and shows on the screen how far it and the lake are."""

    def __init__(self, replay: Replay, lag: LakeLag, screen: Screen) -> None:
        self._replay, self._lag, self._screen = replay, lag, screen

    def send(self, start: datetime | None, end: datetime | None, *, speed: float | None) -> None:
        """As ``Replay.publish``."""
        self._screen.sending()
        self._replay.publish(start, end, self._show, speed=speed)

    def _show(self, progress: ReplayProgress) -> None:
        self._screen.sent(progress.at, progress.requests + progress.labels, self._behind)

    def _behind(self) -> int:
        try:
            return self._lag.measure().unstored
        except TransientError:
            return -1  # shown as such: not known now


def first_version(
    project: Project, window: Window, *, by: str, remedy: str, history: ModelHistory, settling: Settling, publisher: EventPublisher
) -> int:
    """Ask for the first version, judged by nobody, and wait until every predictor follows it.

    Raises UserError when there is none: why, and the ``remedy`` for a project that could not be trained.
    """
    model = project.model
    request_id = caused_id("bootstrap", model, project.digest())
    request = RetrainRequested(model=model, reason="bootstrap", detail="the first model, from the history", window=window, requested_by=by)
    publisher.publish(topics.RETRAIN_REQUESTS, request, key=model, id=request_id)
    settling.until_run_is_judged(request_id)
    ended = history.ended(request_id)
    if ended is not None and isinstance(ended.event, TrainingFailed):
        raise UserError(f"the first training failed: {ended.event.reason} {ended.event.detail}".rstrip() + remedy)
    champion, _ = settling.champion()
    if champion is None:
        raise UserError("the registry did not make the first version champion; see `driftloop decisions`")
    settling.until_predictors_follow()
    return champion
