"""What a training process is told and what it answers, as JSON files in its work directory."""

from pathlib import Path
from typing import Any

import msgspec

from driftloop.contracts.parts import CandidateResult, GateMeasurements, ModelName, Part, Time, TrainingPins

JOB_FILE, RESULT_FILE = "job.json", "result.json"
ROWS_FILE, PROJECT_FILE, CHAMPION_FILE = "rows.arrow", "project.zip", "champion.skops"


class Job(Part, frozen=True, kw_only=True):
    """One run. ``end``: event time up to which the final model is fitted. The work directory holds ROWS_FILE (Arrow IPC
    file), PROJECT_FILE and, when ``has_champion``, CHAMPION_FILE."""

    model: ModelName
    request_id: str
    pins: TrainingPins
    end: Time
    has_champion: bool
    champion_note: str | None = None  # why an existing champion cannot be compared with


class Failure(Part, frozen=True, kw_only=True):
    """Why there is no model, in words for a person; ``detail`` may be a traceback."""

    reason: str
    detail: str = ""


class Trained(Part, frozen=True, kw_only=True):
    """The files of the version are in the work directory, under the names of ``artifact.model_files``."""

    recipe: str
    rows: int
    candidates: tuple[CandidateResult, ...]
    measurements: GateMeasurements | None
    environment: dict[str, Any]


class Result(Part, frozen=True, kw_only=True):
    """Exactly one of the two."""

    trained: Trained | None = None
    failure: Failure | None = None


class Progress(Part, frozen=True, kw_only=True):
    """One line on the process's standard output."""

    step: str
    recipe: str | None = None
    rows: int | None = None
    metric: float | None = None
    seconds: float | None = None


def write_json(path: Path, value: msgspec.Struct) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(msgspec.json.encode(value, order="deterministic"))
    unfinished.replace(path)
