"""The loop over windows with made-up answers: what is decided and promoted does not depend on who fits."""

from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.artifact.scoring import target_values
from driftloop.backtest.loop import Loop, PolicyResult, Windows
from driftloop.backtest.worker import ProfileRules
from driftloop.contracts.values import Window
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.recipes import Recipe
from driftloop.project.rules import Policy
from driftloop.statistics.histograms import build_profile
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.profile import Profile

WINDOWS, PER_WINDOW = 8, 400
TABLE = jobs.rows(windows=WINDOWS, per_window=PER_WINDOW)
LABELS = target_values(TABLE.column("label"), jobs.project().schema)


class Known:
    """A model tells the truth of rows with probability ``good``: better the newer its data is, or as ``skill`` says."""

    def __init__(self, skill: "dict[tuple[str, int], float] | None" = None) -> None:
        self._skill = skill or {}
        self.asked: list[tuple[str, datetime]] = []

    def output(self, recipe: Recipe, end: datetime, start: datetime, until: datetime) -> ModelOutput:
        self.asked.append((str(recipe), end))
        number = round((end - jobs.START) / jobs.WINDOW)
        low, high = (round((time - jobs.START) / jobs.WINDOW) * PER_WINDOW for time in (start, until))
        assert number * PER_WINDOW <= low, "a model answers only for what came after its data"
        good = self._skill.get((str(recipe), number), 0.0)
        if good < 0:
            raise UserError("it cannot be fitted")
        noise = np.random.default_rng(low).normal(size=high - low)
        scores = 1 / (1 + np.exp(-(good * (2.0 * LABELS[low:high] - 1) + noise)))
        return ModelOutput(scores >= 0.5, scores)

    def profile(self, recipe: Recipe, end: datetime, rules: ProfileRules) -> Profile:
        """Of the first windows' rows, with made-up scores."""
        n = 2 * PER_WINDOW
        return build_profile(TABLE.slice(0, n), np.linspace(0, 1, n), jobs.project().schema, 16)


def run(answers: Known, candidates: tuple[str, ...] = ("all",), **rules: object) -> PolicyResult:
    of = jobs.project()
    training = msgspec.structs.replace(of.training, candidates=candidates)
    promotion = msgspec.structs.replace(of.promotion, min_rows=50, **rules)
    return loop(msgspec.structs.replace(of, training=training, promotion=promotion), answers).run("rules")


def loop(project: Project, answers: Known) -> Loop:
    windows = [Window(start=jobs.window(n).start, end=jobs.window(n).end) for n in range(WINDOWS)]
    return Loop(project, Windows(project, TABLE, LABELS), windows, 2, answers)


def test_every_window_after_the_first_ones_is_scored_by_the_champion_of_its_time() -> None:
    result = run(Known())
    assert len(result.scores) == len(result.steps) == WINDOWS - 2
    assert result.mean_score == pytest.approx(np.mean([score for score in result.scores if score is not None]))
    assert (result.promotions, {step.version for step in result.steps}) == (0, {1})


def test_a_better_model_takes_over_from_the_next_window_on() -> None:
    result = run(Known({("all", n): (0.2 if n < 4 else 2.0) for n in range(9)}))
    promoted = [n for n, step in enumerate(result.steps, start=2) if step.promoted]
    assert 4 in promoted  # fitted on windows 0 to 3, judged on window 4
    assert [step.fitted_to for step in result.steps][3] == jobs.window(4).end
    assert result.scores[3] > result.scores[2] + 0.2


def test_nothing_is_promoted_before_the_gains_are_worth_it() -> None:
    skill = {("all", n): 0.5 + 0.2 * n for n in range(9)}
    eager, patient = run(Known(skill)), run(Known(skill), promotion_worth=0.15)
    assert 0 < patient.promotions < eager.promotions
    assert any("waiting has cost" in (step.gate or "") for step in patient.steps if not step.promoted)


def test_after_the_last_window_nothing_is_trained() -> None:
    result = run(Known({("all", n): float(n) for n in range(9)}))
    assert result.steps[-1].retrained is False
    assert result.retrainings == WINDOWS - 3


def test_a_recipe_that_cannot_be_fitted_is_a_result_and_the_others_may_win() -> None:
    skill = {("all", n): (0.2 if n == 2 else 2.0) for n in range(9)} | {("last:1", n): -1.0 for n in range(9)}
    result = run(Known(skill), ("all", "last:1"))
    assert result.promotions > 0
    assert {candidate.error for step in result.steps for candidate in step.candidates if candidate.recipe == "last:1"} == {
        "it cannot be fitted"
    }


def test_where_no_candidate_can_be_measured_the_champion_stays() -> None:
    answers = Known({("all", n): (-1.0 if n > 2 else 0.5) for n in range(9)})
    result = run(answers)
    assert result.promotions == 0
    assert {step.gate for step in result.steps[1:-1]} == {"no candidate could be measured"}


def test_without_triggers_nothing_is_trained() -> None:
    project = msgspec.structs.replace(jobs.project(), policy=Policy(triggers=()))
    result = loop(project, Known()).run("never")
    assert (result.retrainings, result.promotions) == (0, 0)
    assert all(step.why for step in result.steps)


def test_a_policy_that_waits_for_drift_retrains_when_a_feature_has_moved() -> None:
    rules = "[monitoring]\nwasserstein = 0.3\npsi = 1e9\nks = 1e9\n[policy]\ntriggers = ['drift']\ndrift_k = 1\ndrift_n = 1\n"
    of = jobs.project(config=jobs.CONFIG + rules)
    price = TABLE.column("price").to_pylist()
    moved = [None if value is None else value + 30 * (PER_WINDOW * 5 <= i < PER_WINDOW * 6) for i, value in enumerate(price)]
    table = TABLE.set_column(TABLE.column_names.index("price"), "price", [pa.array(moved)])
    windows = [Window(start=jobs.window(n).start, end=jobs.window(n).end) for n in range(WINDOWS)]
    result = Loop(of, Windows(of, table, LABELS), windows, 2, Known({("all", n): 3.0 for n in range(9)})).run("drift")
    assert [n for n, step in enumerate(result.steps, start=2) if step.retrained] == [5]


def test_a_window_of_one_class_has_no_score_and_the_mean_is_of_the_others() -> None:
    labels = LABELS.copy()
    labels[3 * PER_WINDOW : 4 * PER_WINDOW] = True
    windows = [Window(start=jobs.window(n).start, end=jobs.window(n).end) for n in range(WINDOWS)]
    result = Loop(jobs.project(), Windows(jobs.project(), TABLE, labels), windows, 2, Known()).run("rules")
    assert result.scores[1] is None
    assert result.mean_score == pytest.approx(np.mean([score for score in result.scores if score is not None]))


def test_segments_are_measured_and_one_that_is_shown_to_lose_stops_a_promotion() -> None:
    """A newer model is better as a whole and worse on red rows."""
    project = jobs.project(config=jobs.CONFIG + '[monitoring]\nsegments = ["colour"]\n')
    red = np.asarray(TABLE.column("colour").to_pylist()) == "red"

    class Unfair(Known):
        def output(self, recipe: Recipe, end: datetime, start: datetime, until: datetime) -> ModelOutput:
            said, low = super().output(recipe, end, start, until), round((start - jobs.START) / jobs.WINDOW) * PER_WINDOW
            noise = np.random.default_rng(low + 1).random(len(said.scores))
            scores = np.where(red[low : low + len(noise)], noise, said.scores) if end > jobs.window(1).end else said.scores
            return ModelOutput(scores >= 0.5, scores)

    skill = {("all", n): 0.5 if n == 2 else 9.0 for n in range(2, WINDOWS + 1)}
    training = msgspec.structs.replace(project.training, candidates=("all",))
    found = {}
    for loss in (0.05, 0.9):
        promotion = msgspec.structs.replace(project.promotion, min_rows=50, max_segment_loss=loss)
        of = msgspec.structs.replace(project, training=training, promotion=promotion)
        found[loss] = loop(of, Unfair(skill)).run("rules").steps[1]
    assert {segment.value for segment in found[0.05].measurements.segments} == {"red", "green"}  # of missing colours there are too few
    assert not found[0.05].promoted
    assert "the segment colour red would become worse" in found[0.05].gate
    assert found[0.9].promoted


def test_a_model_of_the_newest_window_may_answer_from_the_window_after_a_change() -> None:
    """From window 4 on nothing that was fitted before is of use; the newest rows are."""

    class Changed(Known):
        def output(self, recipe: Recipe, end: datetime, start: datetime, until: datetime) -> ModelOutput:
            said = super().output(recipe, end, start, until)
            old = end <= jobs.window(4).start <= start
            return ModelOutput(said.scores < 0.5, 1 - said.scores) if old else said

        def within(self, recipe: Recipe, window: Window) -> ModelOutput:
            low = round((window.start - jobs.START) / jobs.WINDOW) * PER_WINDOW
            noise = np.random.default_rng(low + 7).normal(size=PER_WINDOW)
            scores = 1 / (1 + np.exp(-(2.0 * (2.0 * LABELS[low : low + PER_WINDOW] - 1) + noise)))
            return ModelOutput(scores >= 0.5, scores)

    skill = {(recipe, n): 2.0 for recipe in ("all", "newest", "last:1") for n in range(9)}
    result = run(Changed(skill), ("all", "newest"))
    at = dict(enumerate(result.steps, start=2))
    assert at[4].promoted
    assert (at[5].recipe, at[5].fitted_to) == ("newest", jobs.window(4).end)
    assert at[4].measurements.judged_on == "other-keys"
    assert at[4].score < 0.2 < 0.8 < at[5].score
    without = dict(enumerate(run(Changed(skill), ("all", "last:1")).steps, start=2))
    assert without[5].score < 0.2, "no recipe that was fitted before the window can win in it"
