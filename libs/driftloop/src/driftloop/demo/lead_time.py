"""How long a change takes to reach production, by stage, from the events' own times."""

import itertools
from collections.abc import Mapping
from datetime import datetime

from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.events import TrainingCompleted
from driftloop.contracts.values import GateMeasurements, Part, Window
from driftloop.history.model_history import ModelHistory
from driftloop.registry.fold import ModelState, ModelVersion

# In this order: each stage lasts from the moment before it that is known. Window times are the sender's.
MOMENTS = ("window_closed", "decided", "requested", "started", "completed", "registered", "promoted", "first_prediction")


class VersionStory(Part, frozen=True, kw_only=True):
    """One version: why it was made, what the gate said, and when each step happened (wall time)."""

    version: int
    request_id: str
    reason: str  # of the request
    window: Window | None  # that it was judged on
    recipe: str | None
    candidates: tuple[CandidateResult, ...]
    measurements: GateMeasurements | None
    promoted: bool
    verdict: str
    moments: dict[str, datetime]

    @property
    def stages(self) -> dict[str, float]:
        """Seconds of each stage, named by the moment that ends it."""
        known = [(name, self.moments[name]) for name in MOMENTS if name in self.moments]
        return {name: (at - before).total_seconds() for (_, before), (name, at) in itertools.pairwise(known)}

    @property
    def lead_seconds(self) -> float | None:
        """From the end of the window, or from the request where no window caused it, to the first prediction."""
        begin = self.moments.get("window_closed") or self.moments.get("requested")
        end = self.moments.get("first_prediction")
        return (end - begin).total_seconds() if begin is not None and end is not None else None


def version_stories(
    model: ModelState, history: ModelHistory, window_closed: Mapping[Window, datetime], first_prediction: Mapping[int, datetime]
) -> list[VersionStory]:
    """All versions of the model, in order."""
    return [_story(model, version, history, window_closed, first_prediction) for version in model.versions]


def _story(
    model: ModelState,
    version: ModelVersion,
    history: ModelHistory,
    window_closed: Mapping[Window, datetime],
    first_prediction: Mapping[int, datetime],
) -> VersionStory:
    request, started = history.request(version.request_id), history.started(version.request_id)
    ended, judged = history.ended(version.request_id), history.promotion_decision(version.request_id)
    run = ended.event if ended is not None and isinstance(ended.event, TrainingCompleted) else None
    window = request.event.window if request else None
    decided = history.retrain_decision(window) if window is not None and request and request.event.reason != "bootstrap" else None
    moved = next((e.moved for e in model.history.values() if e.moved is not None and e.moved.version == version.version), None)
    moments = {
        "window_closed": window_closed.get(window) if window is not None and decided else None,
        "decided": decided.about.time if decided else None,
        "requested": request.about.time if request else None,
        "started": started.about.time if started else None,
        "completed": ended.about.time if ended else None,
        "registered": version.registered_at,
        "promoted": moved.since if moved else None,
        "first_prediction": first_prediction.get(version.version),
    }
    return VersionStory(
        version=version.version,
        request_id=version.request_id,
        reason=request.event.reason if request else "unknown",
        window=window,
        recipe=run.recipe if run else None,
        candidates=run.candidates if run else (),
        measurements=run.measurements if run else None,
        promoted=moved is not None,
        verdict=judged.event.reason if judged else "not judged yet",
        moments={name: at for name, at in moments.items() if at is not None},
    )
