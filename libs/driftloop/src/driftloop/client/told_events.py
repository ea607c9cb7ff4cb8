"""What the loop has told about its models, read from the control topics to their ends. ``say`` is told of what was passed over."""

from driftloop.client.arguments import Say
from driftloop.contracts.events import DecisionMade, DriftReported, IncidentReported, PerformanceReported, VersionReproduced
from driftloop.contracts.topics import DECISIONS, DRIFT_REPORTS, INCIDENTS, PERFORMANCE_REPORTS, REPRODUCTIONS, TRAINING_RUNS
from driftloop.errors import UserError
from driftloop.history.events import Events
from driftloop.history.log_reader import read_to_end
from driftloop.history.model_history import Keep, ModelHistory
from driftloop.history.requests import Run
from driftloop.history.told import Told
from driftloop.ports import Record, Topics


def decisions(topics: Topics, model: str | None, say: Say, last: int | None = None) -> list[Told[DecisionMade]]:
    """In order of time, each once; only the ``last`` ones, in a bound of memory. Raises TransientError, UserError."""
    if last is None:
        return _history(topics, model, say, DECISIONS).decisions()
    return _history(topics, model, say, DECISIONS, keep=Keep(decisions=_some(last, "decision"))).decisions()[-last:]


def drift(topics: Topics, model: str | None, say: Say, last: int | None = None) -> list[Told[DriftReported]]:
    """The newest revision of each window and version, by model, window and version; only the ``last`` ones that came, in a bound of
    memory. Raises TransientError, UserError."""
    return _history(topics, model, say, DRIFT_REPORTS, keep=Keep(reports=_some(last, "report"))).drift_reports()


def incidents(topics: Topics, model: str | None, say: Say, last: int | None = None) -> list[Told[IncidentReported]]:
    """Each as it was told last, by model and start; only the ``last`` ones that were told of, in a bound of memory. Raises TransientError,
    UserError."""
    keep = Keep() if last is None else Keep(reports=_some(last, "incident"))
    return _history(topics, model, say, INCIDENTS, keep=keep).incidents()


def performance(topics: Topics, model: str | None, say: Say, last: int | None = None) -> list[Told[PerformanceReported]]:
    """As ``drift``."""
    return _history(topics, model, say, PERFORMANCE_REPORTS, keep=Keep(reports=_some(last, "report"))).performance_reports()


def runs(topics: Topics, say: Say, model: str | None = None) -> list[Run]:
    """In the order in which they started. Raises TransientError."""
    return _history(topics, model, say, TRAINING_RUNS).runs()


def reproductions(topics: Topics, model: str | None, say: Say) -> list[Told[VersionReproduced]]:
    """What audits have recorded, in order of time. Raises TransientError."""
    return _history(topics, model, say, REPRODUCTIONS).reproductions()


def _some(last: int | None, what: str) -> int | None:
    if last is not None and last < 1:
        raise UserError(f"last = {last}: at least 1 {what}")
    return last


def _history(topics: Topics, model: str | None, say: Say, *names: str, keep: Keep = Keep()) -> ModelHistory:  # noqa: B008 - immutable
    def passed_over(record: Record, reason: str) -> None:
        say(f"passed over offset {record.offset} of {record.topic}[{record.partition}]: {reason}")

    history = ModelHistory(model, keep)
    read_to_end(topics, names, Events(history, passed_over))
    return history
