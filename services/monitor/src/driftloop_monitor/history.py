"""What the monitor knows of its model: a fold of the model's control topics, kept by a thread. The policy's state lives nowhere else."""

from pathlib import Path

from driftloop.contracts.topics import DECISIONS, PERFORMANCE_REPORTS, RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.history.checkpoint import Checkpoint
from driftloop.history.events import Events
from driftloop.history.log_follower import LogFollower
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import Keep, ModelHistory
from driftloop.monitoring.assembly import REMEMBERED_WINDOWS
from driftloop.ports import Topics

TOPICS = (DECISIONS, RETRAIN_REQUESTS, TRAINING_RUNS, PERFORMANCE_REPORTS)
# Every window that may still be decided is among them; a request repeats the evidence of a decision that was just made.
KEEP = Keep(decisions=2 * REMEMBERED_WINDOWS, answered=0, reports=2000, whole=50)


def model_history(topics: Topics, model: str, folder: Path) -> tuple[ModelHistory, LogFollower]:
    """The history of ``model``, and the thread that feeds it. ``folder``: for its checkpoint."""
    history = ModelHistory(model, KEEP)
    reader = LogReader(topics, TOPICS, Events(history), checkpoint=Checkpoint(folder / "history.checkpoint"))
    return history, LogFollower(reader, name="history")
