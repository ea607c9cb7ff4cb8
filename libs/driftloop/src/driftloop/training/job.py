"""What a training process is told and what it answers, as JSON files in its work directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from driftloop.artifact.model_files import MODEL
from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.estimator_files import format_of_file
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import GateMeasurements, ModelName, Part, Time, TrainingPins
from driftloop.lake.split import SplitRule

JOB_FILE, RESULT_FILE = "job.json", "result.json"
ROWS_FILE, PROJECT_FILE, CHAMPION_FILE = "rows.arrow", "project.zip", "champion.skops"
RECORDED_FILE = "recorded.skops"  # of the version that is rebuilt
# Beside either the files of its estimators that their libraries store, ``champion.lightgbm-1.txt``: see ``write_model``.


class Recorded(Part, frozen=True, kw_only=True):
    """What the comparison of an earlier run of the same job came to, from its lineage: it need not be made again. And with which
    correction the champion served that was compared with."""

    recipe: str
    candidates: tuple[CandidateResult, ...]
    measurements: GateMeasurements | None
    recalibrations: tuple[RecalibrationProposal, ...] = ()
    champion_recalibration: Recalibration | None = None


class FittedOn(Part, frozen=True, kw_only=True):
    """Which rows a version was fitted on, as its lineage tells: event time in ``[training_start, training_end)``, null: from
    the beginning, without the buckets that ``split`` holds out."""

    training_start: Time | None
    training_end: Time
    split: SplitRule


class Job(Part, frozen=True, kw_only=True):
    """One run. ``end``: event time up to which the final model is fitted. The work directory holds ROWS_FILE (Arrow IPC
    file), PROJECT_FILE and, when ``has_champion``, CHAMPION_FILE; RECORDED_FILE when a version is rebuilt."""

    model: ModelName
    request_id: str
    pins: TrainingPins
    end: Time
    has_champion: bool
    champion_recorded: tuple[int, ...] = ()  # it is served elsewhere, under these numbers: ROWS_FILE has its answers
    champion_note: str | None = None  # why an existing champion cannot be compared with
    champion_fitted_on: FittedOn | None = None  # null: it is not known, and nothing can be measured fairly
    champion_schema: StreamSchema | None = None  # null: the project's; else the earlier one that it was fitted under
    measured_before: GateMeasurements | None = None  # of the run before this one, which made a version that is no champion yet
    champion_recalibration: Recalibration | None = None  # with which it serves
    recalibrated_before: RecalibrationProposal | None = None  # of an earlier run, about what the champion answers
    candidate_before: RecalibrationProposal | None = None  # of the same run, about its own version
    aged_before: dict[str, tuple[float, ...]] = msgspec.field(default_factory=dict)  # of the newest run before: ``training.choosing``
    recorded: Recorded | None = None  # null: compare


class RunFailure(Part, frozen=True, kw_only=True):
    """Why there is no model, in words for a person; ``detail`` may be a traceback."""

    reason: str
    detail: str = ""


class Agreement(Part, frozen=True, kw_only=True):
    """The rebuilt model beside the recorded one, on all rows that the version was made from, held-out ones included.

    The metrics are those of the held-out rows, null where they are not defined. ``error``: the recorded model cannot be
    loaded here, and the other fields say nothing.
    """

    rows: int
    differing: int = 0  # rows with another prediction
    largest_score_difference: float = 0.0  # of several classes: or of the probability of any
    metric: str
    recorded_metric: float | None = None
    rebuilt_metric: float | None = None
    error: str | None = None


class TrainedModel(Part, frozen=True, kw_only=True):
    """The files of the version are in the work directory, under the names of ``artifact.model_files``."""

    recipe: str
    rows: int
    candidates: tuple[CandidateResult, ...]
    measurements: GateMeasurements | None
    environment: dict[str, Any]
    recalibrations: tuple[RecalibrationProposal, ...] = ()
    agreement: Agreement | None = None  # with RECORDED_FILE, when a version was rebuilt


class Result(Part, frozen=True, kw_only=True):
    """Exactly one of the two."""

    trained: TrainedModel | None = None
    failure: RunFailure | None = None


class RunProgress(Part, frozen=True, kw_only=True):
    """One line on the process's standard output."""

    step: str
    recipe: str | None = None
    rows: int | None = None
    metric: float | None = None
    seconds: float | None = None


def write_model(folder: Path, name: str, files: Mapping[str, bytes]) -> None:
    """``files``: as ``artifact.pipeline_files`` names them; ``name``: CHAMPION_FILE or RECORDED_FILE."""
    for file, data in files.items():
        (folder / (name if file == MODEL else f"{Path(name).stem}.{file}")).write_bytes(data)


def read_model(folder: Path, name: str) -> dict[str, bytes]:
    """What ``write_model`` wrote; empty when it wrote nothing. Names of the files as ``artifact.pipeline_files`` has them."""
    beside = {path.name.partition(".")[2]: path for path in folder.glob(f"{Path(name).stem}.*") if path.name != name}
    found = {MODEL: folder / name, **{file: path for file, path in sorted(beside.items()) if format_of_file(file) is not None}}
    return {file: path.read_bytes() for file, path in found.items()} if (folder / name).exists() else {}


def write_json(path: Path, value: msgspec.Struct) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(msgspec.json.encode(value, order="deterministic"))
    unfinished.replace(path)
