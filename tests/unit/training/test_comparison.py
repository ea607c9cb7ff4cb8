import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.contracts.candidates import WithinWindow
from driftloop.lake.split import SplitRule
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.comparison import Comparer, Comparison
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.job import FittedOn, Job
from driftloop.training.judging import churn
from driftloop.training.recipe_fits import RecipeFits
from driftloop.training.user_code import load_build

FOREST = """
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

def build():
    numbers = make_column_transformer((SimpleImputer(), ["price", "qty"]))
    return make_pipeline(numbers, RandomForestClassifier(20, random_state=0, min_samples_leaf=LEAF))
"""
CONFIG = jobs.CONFIG.replace('colour = "category"', 'qty = "number"').replace('["all", "last:1"]', '["all"]')
PER_WINDOW = 1500


def test_recipes_that_are_the_same_rows_are_fitted_once_and_measured_alike(tmp_path: Path) -> None:
    project = jobs.project(config=jobs.CONFIG.replace('["all", "last:1"]', '["all", "last:5", "last:1"]'))
    rows = TrainingRows(jobs.rows(), project)
    job = jobs.prepare(tmp_path / "job", project, jobs.rows(), jobs.window(2))
    build = load_build(project.files, tmp_path / "project")
    built: list[Any] = []

    def counted() -> Any:
        built.append(build())
        return built[-1]

    fits = RecipeFits(counted, rows, project.windows, seed=0, threads=1)
    compared = Comparer(job, project, rows, tmp_path / "job", fits, lambda _: None).compare()

    assert len(built) == 2  # for `all` and for `last:1`
    by_recipe = {candidate.recipe: candidate for candidate in compared.candidates}
    assert (by_recipe["last:5"].metric, by_recipe["last:5"].rows) == (by_recipe["all"].metric, by_recipe["all"].rows)
    assert by_recipe["last:1"].rows < by_recipe["all"].rows


def noisy_rows(windows: int = 4) -> pa.Table:
    """Labels that follow the features loosely: a model that remembers its rows looks far better on them than it is."""
    rng, n = np.random.default_rng(3), windows * PER_WINDOW
    price, qty = rng.normal(size=n), rng.normal(size=n)
    return pa.table(
        {
            "event_id": [f"e{i}" for i in range(n)],
            "event_time": pa.array([jobs.START + jobs.WINDOW * (i / PER_WINDOW) for i in range(n)], pa.timestamp("us", tz="UTC")),
            "entity": [f"c{i}" for i in range(n)],
            "price": price,
            "qty": qty,
            "label": rng.random(n) < 1 / (1 + np.exp(-(0.8 * price + 0.4 * qty))),
        }
    )


class Rivals:
    """A champion that remembers every row, fitted up to a time, and a better candidate."""

    def __init__(self, folder: Path, candidates: str = '["all"]') -> None:
        self._folder, self.table = folder, noisy_rows()
        config = CONFIG.replace('["all"]', candidates)
        old, self.project = (jobs.project(FOREST.replace("LEAF", leaf), config) for leaf in ("1", "50"))
        self.rows = TrainingRows(self.table, self.project)
        self._build_old = load_build(old.files, folder / "old")
        self._build_new = load_build(self.project.files, folder / "new")

    def job(self, n: int, champion_fitted_to: datetime) -> Job:
        champion = fit(self._build_old, self.rows, self.rows.between(None, champion_fitted_to), seed=0, threads=1)
        data, window = skops_file.dump(champion), jobs.window(n)
        shutil.rmtree(self._folder / "job", ignore_errors=True)
        return jobs.prepare(self._folder / "job", self.project, self.table, window, data, champion_fitted_to=champion_fitted_to)

    def compare(self, job: Job) -> Comparison:
        fits = RecipeFits(self._build_new, self.rows, self.project.windows, seed=0, threads=1)
        return Comparer(job, self.project, self.rows, self._folder / "job", fits, lambda _: None).compare()


@pytest.fixture
def rivals(tmp_path: Path) -> Rivals:
    return Rivals(tmp_path)


def test_a_champion_that_was_fitted_before_the_window_is_judged_on_all_of_it(rivals: Rivals) -> None:
    measured = rivals.compare(rivals.job(2, jobs.window(1).end)).measurements
    assert measured is not None
    assert (measured.rows, measured.judged_on) == (PER_WINDOW, msgspec.UNSET)
    assert measured.champion < 0.7 < measured.candidate


def test_a_champion_that_was_fitted_with_the_window_is_judged_only_on_rows_that_it_has_not_seen(rivals: Rivals) -> None:
    """As in every second run on a window: its first run has made the champion, and fitted it with the window."""
    measured = rivals.compare(rivals.job(2, jobs.window(2).end)).measurements
    held_out = rivals.rows.held_out & rivals.rows.between(jobs.window(2).start, jobs.window(2).end)
    assert measured is not None
    assert (measured.rows, measured.judged_on) == (int(held_out.sum()), "held-out")
    assert measured.champion < 0.75  # 0.98 on the rows that it remembers
    assert measured.candidate > measured.champion


def test_the_part_of_a_window_that_the_champion_was_not_fitted_on_counts_whole(rivals: Rivals) -> None:
    middle = jobs.window(2).start + jobs.WINDOW / 2
    measured = rivals.compare(rivals.job(2, middle)).measurements
    held_out = rivals.rows.held_out & rivals.rows.between(jobs.window(2).start, middle)
    assert measured is not None
    assert (measured.rows, measured.judged_on) == (PER_WINDOW // 2 + int(held_out.sum()), "held-out")


def test_rows_before_the_champions_training_data_are_rows_that_it_has_not_seen(rivals: Rivals) -> None:
    job = rivals.job(2, jobs.window(3).end)
    fitted_on = FittedOn(
        training_start=jobs.window(3).start, training_end=jobs.window(3).end, split=SplitRule(key="entity", salt="driftloop")
    )
    measured = rivals.compare(msgspec.structs.replace(job, champion_fitted_on=fitted_on)).measurements
    assert measured is not None
    assert (measured.rows, measured.judged_on) == (PER_WINDOW, msgspec.UNSET)


@pytest.mark.parametrize(
    ("split", "why"),
    [
        (None, "it is not known which rows it was fitted on"),
        (SplitRule(key="gone", salt="driftloop"), "it was fitted on all 1500 labelled rows that judge"),
        (SplitRule(key="entity", salt="driftloop", held_out_from=9_900), "it was fitted on all 1500 labelled rows that judge"),
    ],
)
def test_a_champion_that_may_have_seen_every_row_is_not_measured(rivals: Rivals, split: SplitRule | None, why: str) -> None:
    job = rivals.job(2, jobs.window(2).end)
    fitted_on = None if split is None else FittedOn(training_start=None, training_end=jobs.window(2).end, split=split)
    compared = rivals.compare(msgspec.structs.replace(job, champion_fitted_on=fitted_on))
    assert compared.measurements is None
    assert compared.notes == (f"The champion, version 7, could not be compared: {why}.",)


def test_a_champion_with_a_split_of_its_own_is_judged_by_that_split(rivals: Rivals) -> None:
    job = rivals.job(2, jobs.window(2).end)
    other = FittedOn(training_start=None, training_end=jobs.window(2).end, split=SplitRule(key="entity", salt="another"))
    measured = rivals.compare(msgspec.structs.replace(job, champion_fitted_on=other)).measurements
    judged = rivals.rows.between(jobs.window(2).start, jobs.window(2).end) & ~rivals.rows.seen_by(other)
    assert measured is not None
    assert measured.rows == judged.sum()
    assert not np.array_equal(judged, judged & rivals.rows.held_out)


def test_among_several_one_half_of_the_keys_chooses_and_the_other_judges(tmp_path: Path) -> None:
    rivals = Rivals(tmp_path, '["all", "last:1"]')
    compared = rivals.compare(rivals.job(2, jobs.window(1).end))
    judged = rivals.rows.between(jobs.window(2).start, jobs.window(2).end)
    assert compared.measurements is not None
    assert compared.measurements.rows == int((judged & (rivals.rows.quarter % 2 == 1)).sum())
    assert PER_WINDOW * 0.4 < compared.measurements.rows < PER_WINDOW * 0.6
    assert len({candidate.metric for candidate in compared.candidates} | {compared.measurements.candidate}) == 3


def test_no_split_key_is_on_both_sides(rivals: Rivals) -> None:
    sides: dict[int, set[bool]] = {}
    for key, first in zip(rivals.rows.keys.tolist(), (rivals.rows.quarter % 2 == 0).tolist(), strict=True):
        sides.setdefault(key, set()).add(first)
    assert {len(side) for side in sides.values()} == {1}


def test_what_runs_before_have_measured_against_the_same_champion_adds_up(rivals: Rivals) -> None:
    first = rivals.compare(rivals.job(2, jobs.window(1).end)).measurements
    job = msgspec.structs.replace(rivals.job(3, jobs.window(1).end), measured_before=first)
    second = rivals.compare(job).measurements
    assert first is not None
    assert second is not None
    assert (first.earlier, first.waited) == ((), first.gain)
    assert second.earlier == (first.of_window(),)
    assert second.waited == pytest.approx(first.gain + second.gain)


def test_churn_is_the_share_of_other_classes_or_of_numbers_that_move_by_more_than_the_project_says() -> None:
    labels, ours, theirs = np.array([True, True, False, False]), np.array([True, True, True, True]), np.array([True, True, True, False])
    assert churn(labels, ModelOutput(ours, ours * 1.0), ModelOutput(theirs, theirs * 1.0), 0.1) == 0.25
    numbers = np.array([0.0, 2.0, 0.0, 2.0])  # standard deviation 1
    moved = np.array([0.09, 2.11, 0.0, 2.0])
    assert churn(numbers, ModelOutput(moved, moved), ModelOutput(numbers, numbers), 0.1) == 0.25
    assert churn(numbers, ModelOutput(moved, moved), ModelOutput(numbers, numbers), 0.05) == 0.5


def test_after_a_change_the_newest_window_is_judged_by_keys_that_it_was_not_fitted_on(tmp_path: Path) -> None:
    """The champion, and all that was fitted before, says the opposite of what has become true."""
    project = jobs.project(config=jobs.CONFIG.replace('["all", "last:1"]', '["all", "newest"]'))
    table = jobs.rows(windows=4, per_window=PER_WINDOW, flip_in=3)
    rows, build = TrainingRows(table, project), load_build(project.files, tmp_path / "project")
    champion = fit(build, rows, rows.between(None, jobs.window(2).start), seed=0, threads=1)
    job = jobs.prepare(tmp_path / "job", project, table, jobs.window(3), skops_file.dump(champion))
    fits = RecipeFits(build, rows, project.windows, seed=0, threads=1)

    def compared(*aged: float) -> Comparison:
        known = msgspec.structs.replace(job, aged_before={"newest": aged} if aged else {})
        return Comparer(known, project, rows, tmp_path / "job", fits, lambda _: None).compare()

    found = compared(0.0, 0.01)
    judged = rows.between(jobs.window(3).start, jobs.window(3).end) & (rows.quarter == 3)
    assert found.recipe == "newest"
    assert found.measurements is not None
    assert (found.measurements.rows, found.measurements.judged_on) == (int(judged.sum()), "other-keys")
    assert found.measurements.champion < 0.2 < 0.8 < found.measurements.candidate
    within = found.candidates[1].within
    assert isinstance(within, WithinWindow)
    assert within.aged[:2] == (0.0, 0.01)
    assert within.aged[2] > 0.6
    assert compared().recipe == "all", "whether it is always so is not known yet"
    split = SplitRule(key=project.split_key, salt=project.split_salt)
    seen = FittedOn(training_start=None, training_end=jobs.window(3).end, split=split)
    job = msgspec.structs.replace(job, champion_fitted_on=seen)
    assert compared(0.0, 0.01).recipe == "all", "of its quarter only what the champion's fit held out could judge: too few rows"
