"""The loop over windows that have passed: what it would have decided, fitted and promoted, and what its answers were worth.

Decisions, comparison and gate are the ones of the services: ``monitoring.policy``, ``training.choosing``, ``training.judging`` and
``registry.gate``. Labels count as known when their window ends.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from driftloop.backtest.worker import ProfileRules
from driftloop.contracts.candidates import CandidateResult
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.values import GateMeasurements, LossMean, Part, Time, Window
from driftloop.errors import UserError
from driftloop.lake.split import buckets, split_keys
from driftloop.monitoring.answers import window_answer
from driftloop.monitoring.evidence import Evidence
from driftloop.monitoring.loss_alarm import loss_alarm
from driftloop.monitoring.policy import PolicyState, decide
from driftloop.monitoring.verdict import judge
from driftloop.project.model import Project
from driftloop.project.recipes import Recipe, parse_recipe
from driftloop.registry.gate import check
from driftloop.registry.recalibration import accept
from driftloop.statistics.histograms import Counter
from driftloop.statistics.intervals import measure, value
from driftloop.statistics.losses import error_scale, mean_loss
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.profile import Counts, HeldOutLoss, Profile
from driftloop.statistics.recalibration import apply
from driftloop.training.choosing import Aged, Choosing, aged
from driftloop.training.guard_rails import segment_rows
from driftloop.training.judging import JudgedRows
from driftloop.training.recalibrating import EarlierProposals, Recalibrating
from driftloop.training.recipes import micros


class Answers(Protocol):
    """What recipes say of rows that came after their fit."""

    def output(self, recipe: Recipe, end: datetime, start: datetime, until: datetime) -> ModelOutput:
        """Of ``recipe`` fitted on rows before ``end``, on the rows in [start, until). Raises UserError where there is no such fit."""

    def within(self, recipe: Recipe, window: Window) -> ModelOutput:
        """Of ``recipe``, fitted on half of the window's split keys, on all of its rows. Raises UserError where there is no such fit."""

    def profile(self, recipe: Recipe, end: datetime, rules: ProfileRules) -> Profile:
        """Of the model that ``recipe`` makes of the rows before ``end``. Raises UserError where there is no such fit."""


class Step(Part, frozen=True, kw_only=True):
    """One window: the metric of the champion on its labelled rows (null: not defined), what was decided when it closed and, if a run
    followed, what came of it."""

    window: Window
    rows: int
    version: int
    recipe: str
    fitted_to: Time
    score: float | None
    recalibration: Recalibration | None = None  # with which the champion answered
    retrained: bool
    why: str  # of the decision
    promoted: bool = False
    gate: str | None = None  # what the gate said
    candidates: tuple[CandidateResult, ...] = ()
    measurements: GateMeasurements | None = None
    recalibrated: bool = False  # the champion, promoted or not, answers with another correction from the next window on, or without
    recalibrating: str | None = None  # what the gate said of the correction; null: nothing could be estimated
    proposal: RecalibrationProposal | None = None


class PolicyResult(Part, frozen=True, kw_only=True):
    """One policy over all windows. ``scores`` are those of ``steps``; ``mean_score`` the mean of those that are defined.
    ``recalibrations``: how often the correction of answers changed, without those changes that came with a promotion."""

    name: str
    mean_score: float | None
    scores: tuple[float | None, ...]
    retrainings: int
    promotions: int
    recalibrations: int
    regret: float | None = None  # against the best timing in hindsight at as many promotions; null: not asked for
    steps: tuple[Step, ...] = ()


class Windows:
    """Labelled rows by window: labels, split keys and halves, each cut from the table once."""

    def __init__(self, project: Project, table: pa.Table, labels: "np.typing.NDArray[np.generic]") -> None:
        keys = split_keys(table, project.split_key)
        self._project, self._table, self._labels = project, table, labels
        self._quarter = buckets(keys, project.split_salt) % 4
        self._keys = keys.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
        self._times = table.column("event_time").cast(pa.int64()).to_numpy()

    def judged(self, window: Window, candidates: int) -> JudgedRows:
        rows = self._rows(window)
        segments = segment_rows(self._project, self._table.slice(rows.start, rows.stop - rows.start))
        labels, keys, quarter = self._labels[rows], self._keys[rows], self._quarter[rows]
        return JudgedRows.of(window, labels, keys, quarter, candidates=candidates, segments=segments)

    def counts(self, window: Window, profile: Profile, scores: "np.typing.NDArray[np.float64]") -> dict[str, Counts]:
        """The window's rows and what the champion says of them by itself, over the bins of its profile."""
        rows = self._rows(window)
        return Counter(profile).count(self._table.slice(rows.start, rows.stop - rows.start), scores)

    def _rows(self, window: Window) -> slice:
        low, high = (int(np.searchsorted(self._times, micros(time))) for time in (window.start, window.end))
        return slice(low, high)


class Loop:
    """One policy, run over windows in order. ``windows``: all; the first version is fitted on the first ``first`` of them."""

    def __init__(self, project: Project, rows: Windows, windows: Sequence[Window], first: int, answers: Answers) -> None:
        self._project, self._rows, self._windows, self._answers = project, rows, windows, answers
        self._first = first
        self._version, self._fitted_to = 1, windows[first].start
        self._recipe = self._first_recipe(windows[first])
        self._state = PolicyState()
        self._before: GateMeasurements | None = None
        self._losses: dict[Window, LossMean] = {}  # of the champion
        self._recalibration: Recalibration | None = None  # with which it answers
        self._proposals = EarlierProposals()
        self._aged: Aged = {}

    def run(self, name: str, progress: Callable[[int, int], None] = lambda _done, _of: None) -> PolicyResult:
        steps = []
        judged = self._windows[self._first :]
        for number, window in enumerate(judged, start=1):
            steps.append(self._step(window, last=number == len(judged)))
            progress(number, len(judged))
        scores = tuple(step.score for step in steps)
        known = [score for score in scores if score is not None]
        return PolicyResult(
            name=name,
            mean_score=float(np.mean(known)) if known else None,
            scores=scores,
            retrainings=sum(step.retrained for step in steps),
            promotions=sum(step.promoted for step in steps),
            recalibrations=sum(step.recalibrated and not step.promoted for step in steps),
            steps=tuple(steps),
        )

    def _first_recipe(self, window: Window) -> str:
        """As ``training.comparison.first_version``: the first that can be fitted. Raises what the first one raised when none can."""
        failed: list[UserError] = []
        for recipe in self._project.training.candidates:
            try:
                self._answers.output(parse_recipe(recipe), self._fitted_to, window.start, window.end)
            except UserError as exc:
                failed.append(exc)
            else:
                return recipe
        raise failed[0]

    def _step(self, window: Window, *, last: bool) -> Step:
        """``last``: no window follows that a new version could answer for, so that none is made."""
        rows = self._rows.judged(window, len(self._project.training.candidates))
        metric = self._project.task_metric
        raw = self._answers.output(parse_recipe(self._recipe), self._fitted_to, window.start, window.end)
        said = apply(self._recalibration, raw)
        step = Step(
            window=window,
            rows=len(rows.labels),
            version=self._version,
            recipe=self._recipe,
            fitted_to=self._fitted_to,
            score=value(metric, rows.labels, said),
            recalibration=self._recalibration,
            retrained=False,
            why="the rows end here",
        )
        if last:
            return step
        evidence = Evidence(
            window=window,
            version=self._version,
            rows=len(rows.labels),
            labelled=len(rows.labels),
            metric=self._project.metric,
            **self._watched(window, rows, said),
        )
        self._state, decision = decide(self._project.policy, self._state, evidence)
        accepted = decision.accepted or decision.dry_run  # here nothing is sent by any policy
        step = msgspec.structs.replace(step, retrained=accepted, why=decision.reason)
        return self._attempt(step, rows, raw) if accepted else step

    def _watched(self, window: Window, rows: JudgedRows, said: ModelOutput) -> dict[str, Any]:
        """What the monitor adds to the evidence for policies that ask for it: whether the window is one of the k of n that drifted, the
        metric with its interval, and what the window means."""
        project = self._project
        if not {"drift", "performance"} & set(project.policy.triggers):
            return {"drifted": False}
        rules = ProfileRules(monitoring=project.monitoring, policy=project.policy)
        profile = self._answers.profile(parse_recipe(self._recipe), self._fitted_to, rules)
        own = said.scores if self._recalibration is None else said.scores[:0]  # the monitor counts no corrected ones either
        judged = judge(project, profile, len(said.scores), self._rows.counts(window, profile, own))
        task = project.schema.target.task
        loss = mean_loss(task, rows.labels, said.predictions, said.scores, error_scale(profile))
        if loss is not None:
            self._losses[window] = loss
        held_out = profile.held_out_loss if isinstance(profile.held_out_loss, HeldOutLoss) else None
        drifted = judged.verdict == "drifted"
        return {
            "drifted": drifted if judged.repeated is None else judged.repeated,
            "measured": measure(project.task_metric, rows.labels, said, project.training.seed),
            "answer": window_answer(drifted, (), loss_alarm(self._losses, held_out, project.monitoring)),
        }

    def _attempt(self, step: Step, rows: JudgedRows, raw: ModelOutput) -> Step:
        """``raw``: what the champion says without a correction."""
        project, window = self._project, step.window
        choosing = Choosing(project, rows, partial(self._candidate, window), self._aged)
        chosen = choosing.choose()
        step = msgspec.structs.replace(step, candidates=choosing.results)
        if chosen is None:
            return msgspec.structs.replace(step, gate="no candidate could be measured")
        self._aged = aged(choosing.results)  # of a run that makes a version: no other is on the record
        everything = np.ones(len(rows.labels), dtype=bool)
        corrections = Recalibrating(project, rows, raw, everything, self._recalibration, self._proposals, project.training.seed)
        found = chosen.rows.against_champion(
            project,
            corrections.comparable(chosen),
            corrections.served,
            everything,
            champion=self._version,
            seed=project.training.seed,
            before=self._before,
        )
        verdict = check(found, project.promotion)
        self._before = found or self._before
        if verdict.accepted:
            self._version, self._recipe, self._fitted_to, self._losses = self._version + 1, chosen.recipe, window.end, {}
        step = msgspec.structs.replace(step, promoted=verdict.accepted, gate=verdict.reason, measurements=found)
        return self._recalibrated(step, corrections.proposals(chosen))

    def _candidate(self, window: Window, recipe: str, within: bool) -> ModelOutput:
        of = parse_recipe(recipe)
        return self._answers.within(of, window) if within else self._answers.output(of, window.start, window.start, window.end)

    def _recalibrated(self, step: Step, proposals: Sequence[RecalibrationProposal]) -> Step:
        """As the registry does it: a promotion ends the correction of the champion before, and what is refused changes nothing."""
        by = {proposal.of: proposal for proposal in proposals}
        proposal = by.get("candidate" if step.promoted else "champion")
        if proposal is not None or step.promoted:
            self._proposals = EarlierProposals(proposal, by.get("candidate"))
        before = self._recalibration
        if step.promoted:
            self._recalibration = None
        if proposal is None:
            return step
        verdict = accept(proposal, self._project.promotion)
        if verdict.accepted:
            self._recalibration = proposal.recalibration
        changed = self._recalibration != before
        return msgspec.structs.replace(step, recalibrated=changed, recalibrating=verdict.reason, proposal=proposal)
