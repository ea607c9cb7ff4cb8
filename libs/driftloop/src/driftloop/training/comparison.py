"""Candidates against one another and against the champion, on the newest labelled window.

Candidates are fitted on what came before it. The champion may have been fitted with it since, when the window is judged a
second time: then the two are measured on those of its rows that the champion was not fitted on, and the measurements say so.
"""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from driftloop.artifact import pipeline_files
from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.recalibration import RecalibrationProposal
from driftloop.contracts.values import GateMeasurements, Window
from driftloop.errors import IntegrityError, UserError
from driftloop.project.model import Project
from driftloop.project.recipes import parse_recipe
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.choosing import Choosing, Chosen
from driftloop.training.fit import Mask, TrainingRows
from driftloop.training.guard_rails import segment_rows
from driftloop.training.job import CHAMPION_FILE, Job, RunProgress, read_model
from driftloop.training.judging import JudgedRows
from driftloop.training.recalibrating import EarlierProposals, Recalibrating
from driftloop.training.recipe_fits import RecipeFits
from driftloop.training.recorded_champion import recorded_output
from driftloop.training.user_code import PipelineError, call

Fit = Callable[[str, datetime], Any]  # recipe, end of its training data → fitted model
Report = Callable[[RunProgress], None]


class Comparison(NamedTuple):
    """The recipe to go on with, and how it was found. ``notes`` are for the card. ``champion``: that was measured beside it, on
    rows among ``answered``, the window's that it has an answer for."""

    recipe: str
    candidates: tuple[CandidateResult, ...] = ()
    measurements: GateMeasurements | None = None
    notes: tuple[str, ...] = ()
    recalibrations: tuple[RecalibrationProposal, ...] = ()
    champion: Any = None
    answered: Mask | None = None


def first_version(project: Project, fit: Fit, end: datetime) -> Comparison:
    """Without a champion nothing is compared: the recipe that is declared first, of those that can be fitted.

    Raises what the first one raised when none can.
    """
    failed: list[tuple[str, UserError]] = []
    for recipe in project.training.candidates:
        try:
            fit(recipe, end)
        except UserError as exc:
            failed.append((recipe, exc))
            continue
        notes = ("There was no champion to compare with.", *(f"{other} could not be fitted: {exc}." for other, exc in failed))
        return Comparison(recipe, notes=notes)
    raise failed[0][1]


class Comparer:
    """Fits every recipe on what came before the window, and measures it there."""

    def __init__(self, job: Job, project: Project, rows: TrainingRows, folder: Path, fits: RecipeFits, report: Report) -> None:
        self._job, self._project, self._rows, self._folder, self._fits, self._report = job, project, rows, folder, fits, report
        self._seconds: dict[str, float] = {}
        self._detail = ""
        self._champion: Any = None

    def compare(self) -> Comparison:
        """Raises UserError when no candidate could be measured."""
        window = self._job.pins.evaluation_window
        if window is None:
            raise UserError("there is no closed window with labels to judge candidates on")
        judged = self._rows.between(window.start, window.end)
        if not judged.any():
            raise UserError(f"the window {window.start.isoformat()} to {window.end.isoformat()} has no labelled rows to judge on")
        self._of_window = self._judged_rows(window, judged)
        outputs = partial(self._output, judged)
        unseen = self._may_judge(judged)
        choosing = Choosing(self._project, self._of_window, outputs, self._job.aged_before, self._told, unseen=unseen)
        chosen = choosing.choose()
        if chosen is None:
            reasons = "; ".join(f"{result.recipe}: {result.error}" for result in choosing.results)
            raise PipelineError(f"no candidate could be measured: {reasons}", self._detail)
        return self._against_champion(judged, chosen, Comparison(chosen.recipe, choosing.results))._replace(champion=self._champion)

    def _told(self, result: CandidateResult) -> CandidateResult:
        """With what it was fitted on and how long that took."""
        mask = self._fits.mask(parse_recipe(result.recipe), self._of_window.window.start)
        seconds, rows = self._seconds[result.recipe], self._rows.fitted(mask)
        self._report(RunProgress(step="measured", recipe=result.recipe, rows=rows, metric=result.metric, seconds=seconds))
        return msgspec.structs.replace(result, rows=rows, seconds=seconds)

    def _judged_rows(self, window: Window, judged: Mask) -> JudgedRows:
        rows, candidates = self._rows, len(self._project.training.candidates)
        segments = segment_rows(self._project, rows.table.filter(pa.array(judged))) if self._project.monitoring.segments else ()
        labels, keys, quarter = rows.labels[judged], rows.keys[judged], rows.quarter[judged]
        return JudgedRows.of(window, labels, keys, quarter, candidates=candidates, segments=segments)

    def _output(self, judged: Mask, recipe: str, within: bool) -> ModelOutput:
        """What the recipe, fitted for the window, gives the judged rows."""
        started, window = time.monotonic(), self._of_window.window
        try:
            model = self._fits.fit(parse_recipe(recipe), window.end if within else window.start, within=within)
            output: ModelOutput = call("scoring", lambda: self._finite_output(model, judged))
        except UserError as exc:
            self._detail = self._detail or getattr(exc, "detail", "")
            raise
        finally:
            self._seconds[recipe] = round(self._seconds.get(recipe, 0.0) + time.monotonic() - started, 3)
        return output

    def _against_champion(self, judged: Mask, chosen: Chosen, found: Comparison) -> Comparison:
        """Without measurements the gate does not promote; the version can still be promoted by a person."""
        version = self._job.pins.champion_version
        if version is None or not (self._job.has_champion or self._job.champion_recorded):
            return found._replace(notes=(f"The champion could not be compared: {self._job.champion_note}.",))
        try:
            theirs, unseen_here, answered = self._of_champion(judged, version)
        except (IntegrityError, UserError) as exc:
            return found._replace(notes=(f"The champion, version {version}, could not be compared: {exc}.",))
        job = self._job
        before = EarlierProposals(job.recalibrated_before, job.candidate_before)
        known = unseen_here & answered
        corrections = Recalibrating(self._project, self._of_window, theirs, known, job.champion_recalibration, before, job.pins.seed)
        measured = chosen.rows.against_champion(
            self._project,
            corrections.comparable(chosen),
            corrections.served,
            unseen_here,
            champion=version,
            seed=job.pins.seed,
            before=job.measured_before,
            answered=answered,
        )
        proposals = corrections.proposals(chosen)
        if job.champion_recorded:  # another system's answers are not ours to correct
            proposals = tuple(proposal for proposal in proposals if proposal.of != "champion")
        notes = self._unanswered(chosen.rows.judges & unseen_here, answered, version)
        whole = judged.copy()
        whole[judged] = answered
        found = found._replace(measurements=measured, recalibrations=proposals, notes=notes, answered=whole)
        if measured is None:
            rows = int((chosen.rows.judges & known).sum())
            note = f"{self._project.metric} of the champion, version {version}, is not defined on {rows} rows of the window."
            return found._replace(notes=(*notes, note))
        self._report(RunProgress(step="compared", rows=measured.rows, metric=measured.champion))
        return found

    def _may_judge(self, judged: Mask) -> Mask | None:
        """Of the judged rows those that the champion was not fitted on, as far as that is known. One that is served elsewhere answered
        before the labels were known."""
        job = self._job
        if job.champion_recorded:
            return self._recorded(judged)[1]
        return None if job.champion_fitted_on is None else ~self._rows.seen_by(job.champion_fitted_on)[judged]

    def _recorded(self, judged: Mask) -> tuple[ModelOutput, Mask]:
        return recorded_output(self._rows.table.filter(pa.array(judged)), self._job.champion_recorded)

    def _of_champion(self, judged: Mask, version: int) -> tuple[ModelOutput, Mask, Mask]:
        """What it says of the judged rows, which of them it was not fitted on, and which it has an answer for. Raises UserError,
        IntegrityError."""
        if self._job.champion_recorded:
            output, answered = self._recorded(judged)
            if not (answered & self._of_window.judges).any():
                raise UserError(
                    f"it is served elsewhere, and answered none of the {int(self._of_window.judges.sum())} labelled rows that judge"
                )
            return output, np.ones(len(answered), dtype=bool), answered
        unseen = self._unseen(judged, version)
        self._champion = champion = pipeline_files.load(read_model(self._folder, CHAMPION_FILE), self._project.training.trusted_types)
        theirs, answered = call("scoring with the champion", lambda: self._rows.answers(champion, judged, self._job.champion_schema))
        return theirs, unseen[judged], answered

    def _unanswered(self, judges: Mask, answered: Mask, version: int) -> tuple[str, ...]:
        silent = int((judges & ~answered).sum())
        said = f"The champion, version {version}, has no answer for {silent} of the {int(judges.sum())} rows that judge; they are left out."
        return (said,) if silent else ()

    def _unseen(self, judged: Mask, version: int) -> Mask:
        """The window's rows that the champion was not fitted on. Raises UserError when none of them judges."""
        fitted_on = self._job.champion_fitted_on
        if fitted_on is None:
            raise UserError("it is not known which rows it was fitted on")
        unseen: Mask = judged & ~self._rows.seen_by(fitted_on)
        judges = self._of_window.judges
        if not (unseen[judged] & judges).any():
            raise UserError(f"it was fitted on all {int(judges.sum())} labelled rows that judge")
        return unseen

    def _finite_output(self, pipeline: Any, mask: Mask) -> ModelOutput:
        output = self._rows.output(pipeline, mask)
        if not np.isfinite(output.scores).all():
            raise UserError("the model gives scores that are not finite numbers")
        return output
