"""What the trainer knows of requests and runs: asked of the two topics, never remembered elsewhere."""

from pathlib import Path

from driftloop.contracts.topics import RETRAIN_REQUESTS, TRAINING_RUNS
from driftloop.history.checkpoint import Checkpoint
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import Keep, ModelHistory
from driftloop.ports import Topics

KEEP = Keep(answered=0)  # of a request that has its answer nothing more is asked

TOPICS = (RETRAIN_REQUESTS, TRAINING_RUNS)


def requests_and_runs(topics: Topics, folder: Path) -> tuple[ModelHistory, LogReader]:
    """The history of all models, and the reader that feeds it. ``folder``: for its checkpoint."""
    history = ModelHistory(keep=KEEP)
    checkpoint = Checkpoint(folder / "history.checkpoint")
    return history, LogReader(topics, TOPICS, Events(history), checkpoint=checkpoint)
