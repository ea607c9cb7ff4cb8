"""The loop corrects answers between promotions: where the level moves it gains, where nothing moves it loses nothing."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.backtest.loop import Loop, PolicyResult, Windows
from driftloop.backtest.worker import ProfileRules
from driftloop.contracts.values import Window
from driftloop.project.recipes import Recipe
from driftloop.statistics.histograms import build_profile
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.profile import SCORE, Counts, Profile

WINDOWS, PER_WINDOW = 14, 300
NUMBERS = jobs.CONFIG.replace('name = "bought"\ntype = "boolean"\nmetric = "roc_auc"', 'name = "spent"\ntype = "number"\nmetric = "r2"')
TABLE = jobs.rows(windows=WINDOWS, per_window=PER_WINDOW)


class Levelled:
    """A model knows a row's number but for noise, and the level that its newest half of the data had on average."""

    def __init__(self, levels: "np.typing.NDArray[np.float64]", seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._true = rng.normal(0, 2, WINDOWS * PER_WINDOW)
        self._noise = rng.normal(0, 1, WINDOWS * PER_WINDOW)
        self._levels = levels
        self.labels = self._true + self._noise + np.repeat(levels, PER_WINDOW)

    def output(self, recipe: Recipe, end: datetime, start: datetime, until: datetime) -> ModelOutput:
        fitted, low, high = (round((time - jobs.START) / jobs.WINDOW) for time in (end, start, until))
        error = np.random.default_rng(fitted).normal(0, 0.3, WINDOWS * PER_WINDOW)
        said = (self._true + error)[low * PER_WINDOW : high * PER_WINDOW] + self._levels[:fitted].mean()
        return ModelOutput(said, said)

    def profile(self, recipe: Recipe, end: datetime, rules: ProfileRules) -> Profile:
        n = 2 * PER_WINDOW
        return build_profile(TABLE.slice(0, n), self._true[:n], jobs.project(config=NUMBERS).schema, 16)


class Counting(Windows):
    """Notes how many scores of each window drift is judged by."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.counted: list[int] = []

    def counts(self, window: Window, profile: Profile, scores: "np.typing.NDArray[np.float64]") -> dict[str, Counts]:
        found = super().counts(window, profile, scores)
        self.counted.append(int(found[SCORE].sum()))
        return found


def run(levels: Any, seed: int = 0, triggers: tuple[str, ...] = ("window",), **promotion: Any) -> PolicyResult:
    return loop(levels, seed, triggers, **promotion)[0].run("rules")


def loop(levels: Any, seed: int, triggers: tuple[str, ...], **promotion: Any) -> tuple[Loop, Counting]:
    of = jobs.project(config=NUMBERS)
    of = msgspec.structs.replace(of, policy=msgspec.structs.replace(of.policy, triggers=triggers))
    training = msgspec.structs.replace(of.training, candidates=("all",))
    project = msgspec.structs.replace(of, training=training, promotion=msgspec.structs.replace(of.promotion, **promotion))
    answers = Levelled(np.asarray(levels, np.float64), seed)
    table = TABLE.set_column(TABLE.column_names.index("label"), "label", pa.array(answers.labels))
    windows = [Window(start=jobs.window(n).start, end=jobs.window(n).end) for n in range(WINDOWS)]
    rows = Counting(project, table, answers.labels)
    return Loop(project, rows, windows, 2, answers), rows


def test_drift_is_judged_by_the_models_own_scores_and_not_by_corrected_ones() -> None:
    looped, rows = loop(np.linspace(0, 10, WINDOWS), 0, ("window", "drift"), promotion_worth=1e9)
    steps = looped.run("rules").steps[:-1]
    assert rows.counted == [PER_WINDOW if step.recalibration is None else 0 for step in steps]
    assert {0, PER_WINDOW} == set(rows.counted)


def test_where_the_level_moves_corrected_answers_are_better_and_fewer_versions_are_promoted() -> None:
    rising = np.linspace(0, 10, WINDOWS)
    plain, corrected = run(rising, recalibrate=False), run(rising)
    assert plain.mean_score is not None
    assert corrected.mean_score is not None
    assert corrected.mean_score > plain.mean_score + 0.5
    assert corrected.promotions <= plain.promotions
    assert plain.recalibrations == 0
    assert corrected.recalibrations > 3


def test_steps_tell_with_which_correction_was_answered_and_why() -> None:
    steps = run(np.linspace(0, 10, WINDOWS), promotion_worth=1e9).steps  # no promotion
    assert steps[0].recalibration is None
    assert steps[0].recalibrating == "no correction: no window has judged one yet"
    assert [step.recalibrated for step in steps[:3]] == [False, True, True]
    for before, after in pairwise(steps[1:-1]):
        assert before.proposal is not None
        assert after.recalibration == before.proposal.recalibration
        assert after.recalibration is not None
    assert "corrected answers gained" in (steps[1].recalibrating or "")


def test_a_correction_that_comes_with_a_promotion_is_not_counted() -> None:
    result = run(np.linspace(0, 10, WINDOWS))
    with_promotion = [step for step in result.steps if step.promoted and step.recalibrated]
    assert with_promotion
    assert result.recalibrations == sum(step.recalibrated for step in result.steps) - len(with_promotion)


def test_a_level_that_jumps_and_comes_back_ends_the_correction() -> None:
    levels = np.zeros(WINDOWS)
    levels[5:8] = 6.0
    result = run(levels, promotion_worth=1e9)
    corrected = [n for n, step in enumerate(result.steps, start=2) if step.recalibration is not None]
    assert {7} <= set(corrected) <= {6, 7, 8}  # known after 5 and sure after 6; after 8 it is known that it has come back
    assert result.scores[7] is not None
    plain = run(levels, promotion_worth=1e9, recalibrate=False)
    assert result.scores[-4:] == plain.scores[-4:]


@pytest.mark.parametrize("seed", range(12))
def test_where_nothing_moves_answers_do_not_get_worse(seed: int) -> None:
    plain, corrected = run(np.zeros(WINDOWS), seed, recalibrate=False), run(np.zeros(WINDOWS), seed)
    assert plain.mean_score is not None
    assert corrected.mean_score is not None
    assert corrected.mean_score > plain.mean_score - 0.002
    assert min(ours - theirs for ours, theirs in zip(corrected.scores, plain.scores, strict=True)) > -0.01  # type: ignore[operator]


def test_the_same_rows_give_the_same_corrections() -> None:
    rising = np.linspace(0, 10, WINDOWS)
    assert run(rising) == run(rising)
