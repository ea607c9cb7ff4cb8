"""One training run: compare, refit the winner with the window included, check it, write the version's files."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from driftloop.artifact import model_files
from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.values import GateMeasurements
from driftloop.errors import UserError
from driftloop.lake.split import SplitRule
from driftloop.project.model import PIPELINE_FILE, Project
from driftloop.project.recipes import Member, parse_recipe
from driftloop.statistics.intervals import measure
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.agreement import agreement
from driftloop.training.candidates import training_start
from driftloop.training.card import render_card
from driftloop.training.comparison import Comparer, Comparison, Report, first_version
from driftloop.training.environment import describe_environment
from driftloop.training.fit import Mask, TrainingRows, check_sanity
from driftloop.training.guard_rails import SCORED_AT_ONCE, scoring_cost
from driftloop.training.job import CHAMPION_FILE, RECORDED_FILE, Agreement, Job, RunProgress, TrainedModel, read_model
from driftloop.training.recipe_fits import RecipeFits
from driftloop.training.season import told
from driftloop.training.user_code import call, dump_checked, load_build
from driftloop.training.version_profile import version_profile

CHECKED_ROWS = 2000  # scored before storing and after loading


class TrainingRun:
    """The steps of one job over one set of rows. All user code runs in here."""

    def __init__(self, job: Job, project: Project, rows: TrainingRows, folder: Path, report: Report) -> None:
        self._job, self._project, self._rows, self._folder, self._report = job, project, rows, folder, report
        build = load_build(project.files, folder / "project")
        self._fits = RecipeFits(build, rows, project.windows, seed=job.pins.seed, threads=job.pins.threads)

    def run(self) -> TrainedModel:
        """Raises UserError with a reason that a person understands."""
        compared = self._compare()
        mask = self._fits.mask(parse_recipe(compared.recipe), self._job.end)
        pipeline = self._fit(compared.recipe, self._job.end)
        self._report(RunProgress(step="refitted", recipe=compared.recipe, rows=self._rows.fitted(mask)))
        data, loaded = dump_checked(pipeline, self._project.files, self._project.training.trusted_types)
        held_out = call("scoring", lambda: self._rows.held_out_output(loaded, mask))
        stored = self._checked(pipeline, loaded, mask)
        check_sanity(np.concatenate([stored.scores, held_out.scores]))
        self._write(data, loaded, compared, mask, held_out)
        return TrainedModel(
            recipe=compared.recipe,
            rows=self._rows.fitted(mask),
            candidates=compared.candidates,
            measurements=self._with_cost(compared, data, loaded),
            environment=describe_environment(self._project.environment_types),
            recalibrations=compared.recalibrations,
            agreement=self._agreement(data, loaded, mask),
        )

    def _compare(self) -> Comparison:
        recorded = self._job.recorded
        if recorded is not None:
            return Comparison(recorded.recipe, recorded.candidates, recorded.measurements, recalibrations=recorded.recalibrations)
        if self._job.pins.champion_version is None:
            return first_version(self._project, self._fit, self._job.end)
        compared = Comparer(self._job, self._project, self._rows, self._folder, self._fits, self._report).compare()
        self._fits.forget()  # the winner is fitted on more rows than any of them
        return compared

    def _fit(self, recipe: str, end: datetime) -> Any:
        return self._fits.fit(parse_recipe(recipe), end)

    def _checked(self, pipeline: Any, loaded: Any, mask: Mask) -> ModelOutput:
        """What the stored model says of the first rows. What will be deployed is what was fitted: raises UserError if it says otherwise."""
        few = np.zeros_like(mask)
        few[np.flatnonzero(mask)[:CHECKED_ROWS]] = True
        fitted: ModelOutput = call("scoring", lambda: self._rows.output(pipeline, few))
        stored: ModelOutput = call("scoring", lambda: self._rows.output(loaded, few))
        same = np.array_equal(fitted.scores, stored.scores)
        if fitted.probabilities is not None and stored.probabilities is not None:
            same = same and np.array_equal(fitted.probabilities, stored.probabilities)
        if not same:
            raise UserError("the stored model scores otherwise than the fitted one: its state cannot be stored by skops")
        return stored

    def _with_cost(self, compared: Comparison, data: Mapping[str, bytes], loaded: Any) -> GateMeasurements | None:
        """The measurements with what the version costs beside the champion, on rows that both have scored before. Nothing that is stored
        holds it: it is never the same twice."""
        measured = compared.measurements
        if measured is None or compared.champion is None:
            return measured
        judged = self._rows.between(measured.window.start, measured.window.end)
        judged = judged if compared.answered is None else compared.answered
        few = np.zeros_like(judged)
        few[np.flatnonzero(judged)[-SCORED_AT_ONCE:]] = True
        ours, theirs = self._rows.scoring(loaded, few), self._rows.scoring(compared.champion, few, self._job.champion_schema)
        sizes = [sum(map(len, files.values())) for files in (data, read_model(self._folder, CHAMPION_FILE))]
        cost = call("scoring", lambda: scoring_cost(ours, theirs, int(few.sum()), candidate_bytes=sizes[0], champion_bytes=sizes[1]))
        return msgspec.structs.replace(measured, cost=cost)

    def _agreement(self, data: Mapping[str, bytes], loaded: Any, mask: Mask) -> Agreement | None:
        recorded = read_model(self._folder, RECORDED_FILE)
        if not recorded:
            return None
        output = call("scoring", lambda: self._rows.output(loaded, mask))
        return agreement(self._project, self._rows, mask, recorded=recorded, rebuilt=data, output=output)

    def _write(self, data: Mapping[str, bytes], loaded: Any, compared: Comparison, mask: Mask, held_out: ModelOutput) -> None:
        profile = version_profile(self._project, self._rows, mask, held_out, loaded, self._job.pins.seed)
        contents = {
            **data,
            model_files.PROFILE: profile.encode(),
            model_files.CARD: self._card(compared._replace(notes=(*compared.notes, *told(profile))), mask, held_out).encode(),
            model_files.LINEAGE: msgspec.json.encode(self._lineage(compared, mask), order="deterministic"),
        }
        for name, content in contents.items():
            (self._folder / name).write_bytes(content)
        self._report(RunProgress(step="written", recipe=compared.recipe))

    def _card(self, compared: Comparison, mask: Mask, held_out: ModelOutput) -> str:
        job, project = self._job, self._project
        labels = self._rows.labels[mask & self._rows.held_out]
        return render_card(
            model=job.model,
            schema=project.schema,
            request_id=job.request_id,
            pins=job.pins,
            recipe=compared.recipe,
            members=[(str(member), fitted) for member, fitted in self._members(compared)],
            start=training_start(compared.recipe, project.windows, job.end),
            end=job.end,
            rows=self._rows.fitted(mask),
            metric=project.task_metric,
            held_out_rows=len(labels),
            held_out=measure(project.task_metric, labels, held_out, job.pins.seed),
            candidates=compared.candidates,
            measurements=compared.measurements,
            recalibrations=compared.recalibrations,
            notes=compared.notes,
        )

    def _lineage(self, compared: Comparison, mask: Mask) -> dict[str, Any]:
        """From bytes to bytes: everything that this version was made from. Wall times are left out: they change nothing."""
        job, project = self._job, self._project
        members = [{"recipe": str(member), "rows": rows} for member, rows in self._members(compared)]
        return {
            "model": job.model,
            "request_id": job.request_id,
            "pins": job.pins,
            "stream": project.stream,
            "schema": project.schema,
            "split": SplitRule(key=project.split_key, salt=project.split_salt),
            "recipe": compared.recipe,
            "training_start": training_start(compared.recipe, project.windows, job.end),
            "training_end": job.end,
            "rows": self._rows.fitted(mask),
            "held_out_rows": int((mask & self._rows.held_out).sum()),
            "candidates": [_without_seconds(candidate) for candidate in compared.candidates],
            "measurements": compared.measurements,
            "pipeline_sha256": hashlib.sha256(project.files[PIPELINE_FILE]).hexdigest(),
            **({"members": members} if members else {}),
            **({"recalibrations": compared.recalibrations} if compared.recalibrations else {}),
            **({"champion_recalibration": job.champion_recalibration} if job.champion_recalibration else {}),
        }

    def _members(self, compared: Comparison) -> list[tuple[Member, int]]:
        """Of a mean: what was fitted, on how many rows. Of other recipes nothing that the version's row count does not say."""
        recipe = parse_recipe(compared.recipe)
        fitted = [(member, self._rows.fitted(self._fits.mask(member, self._job.end))) for member in recipe.members]
        return fitted if recipe.mean else []


def _without_seconds(candidate: CandidateResult) -> CandidateResult:
    return msgspec.structs.replace(candidate, seconds=0.0)
