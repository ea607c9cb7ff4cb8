"""Candidates against one another and against the champion, on the newest labelled window.

Candidates are fitted on what came before it. The champion may have been fitted with it since, when the window is judged a
second time: then the two are measured on those of its rows that the champion was not fitted on, and the measurements say so.
"""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from driftloop.artifact import skops_file
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import CandidateResult, GateMeasurements, Window
from driftloop.errors import IntegrityError, UserError
from driftloop.project.model import ALL, Project
from driftloop.statistics.intervals import paired_gain, value
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.candidates import choose, training_start
from driftloop.training.fit import Mask, TrainingRows
from driftloop.training.job import CHAMPION_FILE, Job, RunProgress
from driftloop.training.user_code import PipelineError, call

Fit = Callable[[str, datetime], Any]  # recipe, end of its training data → fitted model
Report = Callable[[RunProgress], None]


class Comparison(NamedTuple):
    """The recipe to go on with, and how it was found. ``notes`` are for the card."""

    recipe: str
    candidates: tuple[CandidateResult, ...] = ()
    measurements: GateMeasurements | None = None
    notes: tuple[str, ...] = ()


def first_version(project: Project) -> Comparison:
    """Without a champion nothing is compared: all history, if the project has that recipe."""
    recipes = project.training.candidates
    return Comparison(ALL if ALL in recipes else recipes[0], notes=("There was no champion to compare with.",))


class Comparer:
    """Fits every recipe on what came before the window, and measures it there."""

    def __init__(self, job: Job, project: Project, rows: TrainingRows, folder: Path, fit: Fit, report: Report) -> None:
        self._job, self._project, self._rows, self._folder, self._fit, self._report = job, project, rows, folder, fit, report
        self._outputs: dict[str, ModelOutput] = {}
        self._detail = ""

    def compare(self) -> Comparison:
        """Raises UserError when no candidate could be measured."""
        window = self._job.pins.evaluation_window
        if window is None:
            raise UserError("there is no closed window with labels to judge candidates on")
        judged = self._rows.between(window.start, window.end)
        if not judged.any():
            raise UserError(f"the window {window.start.isoformat()} to {window.end.isoformat()} has no labelled rows to judge on")
        results = tuple(self._candidate(recipe, window.start, judged) for recipe in self._project.training.candidates)
        chosen = choose(results, self._project.training.margin, self._project.task_metric)
        if chosen is None:
            reasons = "; ".join(f"{result.recipe}: {result.error}" for result in results)
            raise PipelineError(f"no candidate could be measured: {reasons}", self._detail)
        measurements, notes = self._against_champion(window, judged, self._outputs[chosen.recipe])
        return Comparison(chosen.recipe, results, measurements, notes)

    def _candidate(self, recipe: str, end: datetime, judged: Mask) -> CandidateResult:
        """A recipe that cannot be fitted is a result too: the others may still win."""
        mask = self._rows.between(training_start(recipe, self._project.windows, end), end)
        started = time.monotonic()
        metric, error = None, None
        try:
            output = self._outputs[recipe] = self._output_on(judged, recipe, end)
            metric = value(self._project.task_metric, self._rows.labels[judged], output)
            error = None if metric is not None else self._undefined(judged, output)
        except UserError as exc:
            error = str(exc)
            self._detail = self._detail or getattr(exc, "detail", "")
        seconds = round(time.monotonic() - started, 3)
        rows = self._rows.fitted(mask)
        self._report(RunProgress(step="measured", recipe=recipe, rows=rows, metric=metric, seconds=seconds))
        return CandidateResult(recipe=recipe, rows=rows, metric=metric, seconds=seconds, error=error)

    def _undefined(self, judged: Mask, output: ModelOutput) -> str:
        why = self._project.task_metric.why_undefined(self._rows.labels[judged], output)
        return f"{self._project.metric} is not defined on {int(judged.sum())} rows of the window {why}"

    def _output_on(self, judged: Mask, recipe: str, end: datetime) -> ModelOutput:
        """What the recipe, fitted on rows before ``end``, gives the judged ones."""
        model = self._fit(recipe, end)
        output: ModelOutput = call("scoring", lambda: self._finite_output(model, judged))
        return output

    def _against_champion(self, window: Window, judged: Mask, ours: ModelOutput) -> tuple[GateMeasurements | None, tuple[str, ...]]:
        """Without measurements the gate does not promote; the version can still be promoted by a person."""
        version = self._job.pins.champion_version
        if version is None or not self._job.has_champion:
            return None, (f"The champion could not be compared: {self._job.champion_note}.",)
        try:
            unseen = self._unseen(judged, version)
            champion = skops_file.load((self._folder / CHAMPION_FILE).read_bytes(), self._project.training.trusted_types)
            theirs = call("scoring with the champion", lambda: self._finite_output(champion, unseen, self._job.champion_schema))
        except (IntegrityError, UserError) as exc:
            return None, (f"The champion, version {version}, could not be compared: {exc}.",)
        confidence, metric = self._project.promotion.confidence, self._project.metric
        labels, ours = self._rows.labels[unseen], ours.where(unseen[judged])
        gain = paired_gain(self._project.task_metric, labels, ours, theirs, confidence=confidence, seed=self._job.pins.seed)
        if gain is None:
            return None, (f"{metric} of the champion, version {version}, is not defined on {len(labels)} rows of the window.",)
        self._report(RunProgress(step="compared", rows=len(labels), metric=gain.champion))
        measurements = GateMeasurements(
            window=window,
            metric=metric,
            rows=len(labels),
            candidate=gain.candidate,
            champion=gain.champion,
            gain=gain.gain,
            gain_lower=gain.lower,
            confidence=confidence,
            champion_version=version,
            judged_on=msgspec.UNSET if len(labels) == judged.sum() else "held-out",
        )
        return measurements, ()

    def _unseen(self, judged: Mask, version: int) -> Mask:
        """The judged rows that the champion was not fitted on. Raises UserError when there are none."""
        fitted_on = self._job.champion_fitted_on
        if fitted_on is None:
            raise UserError("it is not known which rows it was fitted on")
        unseen: Mask = judged & ~self._rows.seen_by(fitted_on)
        if not unseen.any():
            raise UserError(f"it was fitted on all {int(judged.sum())} labelled rows of the window")
        return unseen

    def _finite_output(self, pipeline: Any, mask: Mask, schema: StreamSchema | None = None) -> ModelOutput:
        output = self._rows.output(pipeline, mask, schema)
        if not np.isfinite(output.scores).all():
            raise UserError("the model gives scores that are not finite numbers")
        return output
