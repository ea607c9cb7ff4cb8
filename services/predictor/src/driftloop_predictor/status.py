"""What ``/readyz`` and ``/status`` answer, while the parts come to life."""

from typing import Any

import msgspec

from driftloop.contracts.headers import RequestPosition
from driftloop.project.model import Project
from driftloop.service.project import FollowedRegistry
from driftloop_predictor.handlers import RequestHandler
from driftloop_predictor.http import Edge
from driftloop_predictor.model import ModelFollower
from driftloop_predictor.serving import ScoringModel
from driftloop_predictor.who_answers import WhoAnswers


class PredictorHealth:
    """Filled in by the bootstrap."""

    def __init__(self, instance: str, registry: FollowedRegistry, edge: Edge) -> None:
        self._instance, self._registry, self._edge = instance, registry, edge
        self.project: Project | None = None
        self.model: ModelFollower | None = None
        self.who_answers: WhoAnswers | None = None
        self._handler: RequestHandler | None = None
        self._not_connected: str | None = None

    def not_connected(self, reason: Exception) -> None:
        """The stream waits, while HTTP answers."""
        self._not_connected = f"the broker cannot be reached: {reason}"

    def connected(self, handler: RequestHandler) -> None:
        self._handler, self._not_connected = handler, None

    def serving(self) -> ScoringModel | None:
        return self.model.serving if self.model else None

    def position(self, partition: int) -> RequestPosition | None:
        """Up to where this process knows a partition's requests to be accounted for."""
        return self._handler.position(partition) if self._handler else None

    def ready(self) -> tuple[bool, dict[str, Any]]:
        ready, reason = self._ready()
        return ready, {"reason": reason}

    def _ready(self) -> tuple[bool, str]:
        """It can do its work: score, or record traffic unscored while the model has no champion yet."""
        if self.project is None or self.model is None:
            return False, "waiting for the project"
        if not self._edge.is_open:
            return False, "rows by HTTP are not taken yet"
        if self.model.serving is not None:
            return True, "a model is loaded"
        if not self._registry.caught_up:
            return False, "the registry log has not been read to its end"
        if not self.model.up_to_date:
            return False, "the champion is not loaded"
        elsewhere = self.project.served_by == "elsewhere"
        return True, "the model is served elsewhere" if elsewhere else "there is no champion yet"

    def status(self) -> dict[str, Any]:
        serving, recorder = self.serving(), self._edge.recorder
        return {
            "instance": self._instance,
            "project": self.project.name if self.project else None,
            "project_archive": self.project.digest() if self.project else None,
            "champion_version": serving.version if serving else None,
            "alias_epoch": serving.epoch if serving else 0,
            "model_digest": serving.digest if serving else None,
            "watching": self.who_answers.watched() if self.who_answers else None,
            "recalibration_epoch": serving.corrected_by if serving else None,
            "recalibration": msgspec.to_builtins(serving.recalibration) if serving else None,
            "canary": _canary(serving),
            "partitions": {str(p): o for p, o in self._handler.next_offsets().items()} if self._handler else {},
            "environment": _environment(self.project, self.model),
            "bad_models": self.model.bad_models if self.model else 0,
            "unscored": self._edge.unscored.as_dict(),
            "http_rows_waiting": recorder.waiting_rows if recorder else 0,
            "last_error": self._not_connected or (self.model.last_error if self.model else None),
        }


def _canary(serving: ScoringModel | None) -> dict[str, Any] | None:
    """Who answers a share of the entities here, and by which record."""
    found = serving.canary if serving else None
    return None if found is None else {"version": found.version, "rule": found.rule, "epoch": found.epoch, "model_digest": found.digest}


def _environment(project: Project | None, model: ModelFollower | None) -> dict[str, Any] | None:
    """How this process differs from the one that fitted the newest champion; null before there is one."""
    found = model.environment if model else None
    if project is None or found is None:
        return None
    return {"same": found.same, "setting": project.serving.environment, **msgspec.to_builtins(found)}
