"""What the loop has told about its models, read from the control topics to their ends. ``say`` is told of what was passed over."""

from driftloop.adapters.kafka import KafkaTopics
from driftloop.client.arguments import Say
from driftloop.contracts.events import DecisionMade, DriftReported, PerformanceReported, VersionReproduced
from driftloop.contracts.topics import DECISIONS, DRIFT_REPORTS, PERFORMANCE_REPORTS, REPRODUCTIONS, TRAINING_RUNS
from driftloop.history.events import Events
from driftloop.history.log_reader import read_to_end
from driftloop.history.model_history import ModelHistory
from driftloop.history.requests import Run
from driftloop.history.told import Told
from driftloop.ports import Record

CLIENT = "driftloop-client"


def decisions(bootstrap: str, model: str | None, say: Say) -> list[Told[DecisionMade]]:
    """In order of time, each once. Raises TransientError."""
    return _history(bootstrap, model, say, DECISIONS).decisions()


def drift(bootstrap: str, model: str | None, say: Say) -> list[Told[DriftReported]]:
    """The newest revision of each window and version, by model, window and version. Raises TransientError."""
    return _history(bootstrap, model, say, DRIFT_REPORTS).drift_reports()


def performance(bootstrap: str, model: str | None, say: Say) -> list[Told[PerformanceReported]]:
    """The newest revision of each window and version, by model, window and version. Raises TransientError."""
    return _history(bootstrap, model, say, PERFORMANCE_REPORTS).performance_reports()


def runs(bootstrap: str, say: Say) -> list[Run]:
    """Of all models, in the order in which they started. Raises TransientError."""
    return _history(bootstrap, None, say, TRAINING_RUNS).runs()


def reproductions(bootstrap: str, model: str | None, say: Say) -> list[Told[VersionReproduced]]:
    """What audits have recorded, in order of time. Raises TransientError."""
    return _history(bootstrap, model, say, REPRODUCTIONS).reproductions()


def _history(bootstrap: str, model: str | None, say: Say, *topics: str) -> ModelHistory:
    def passed_over(record: Record, reason: str) -> None:
        say(f"passed over offset {record.offset} of {record.topic}[{record.partition}]: {reason}")

    history = ModelHistory(model)
    read_to_end(KafkaTopics(bootstrap, client_id=CLIENT), topics, Events(history, passed_over))
    return history
