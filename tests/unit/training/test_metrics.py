"""Training by a metric of which less is better: who is chosen, what the gate is told, and what the card says."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.contracts.values import PromotionRules
from driftloop.registry.gate import check
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.job import TrainedModel
from driftloop.training.run_job import run_job
from driftloop.training.user_code import load_build

CONFIG = jobs.CONFIG.replace('type = "boolean"\nmetric = "roc_auc"', 'type = "number"\nmetric = "mae"')
PIPELINE = jobs.PIPELINE.replace("Classifier", "Regressor")


def number_rows(*due_in: int) -> pa.Table:
    """Three windows whose label is the price and a half of noise; in the given windows another 5 are due."""
    table = jobs.rows()
    price = np.nan_to_num(table["price"].to_numpy(zero_copy_only=False), nan=10.0)
    window = np.arange(len(table)) // 300
    due = 5.0 * np.isin(window, due_in)
    label = price + due + np.random.default_rng(1).normal(0, 0.5, len(table))
    return table.set_column(table.schema.get_field_index("label"), "label", pa.array(label))


def trained(folder: Path, table: pa.Table, config: str = CONFIG) -> TrainedModel:
    """By a run whose champion was fitted on the first window."""
    project = jobs.project(PIPELINE, config)
    rows = TrainingRows(table, project)
    build = load_build(project.files, folder / "code")
    champion = fit(build, rows, rows.between(None, jobs.window(0).end), seed=0, threads=1)
    jobs.prepare(folder / "job", project, table, jobs.window(2), skops_file.dump(champion))
    result = run_job(folder / "job")
    assert result.trained is not None, result.failure
    return result.trained


def test_the_recipe_with_the_lower_error_wins_and_gains_over_the_champion(tmp_path: Path) -> None:
    done = trained(tmp_path, number_rows(1, 2))
    errors = {candidate.recipe: candidate.metric for candidate in done.candidates}
    assert errors["last:1"] < errors["all"]
    assert done.recipe == "last:1"
    measured = done.measurements
    assert measured.candidate < measured.champion
    assert measured.gain == pytest.approx(measured.champion - measured.candidate)
    assert 0 < measured.gain_lower < measured.gain
    assert check(measured, PromotionRules()).accepted
    card = (tmp_path / "job" / "card.md").read_text()
    assert "The lower mae, the better; a gain is what it fell by." in card
    assert f"{measured.candidate:.4f} against {measured.champion:.4f}" in card


def test_a_candidate_with_a_higher_error_loses_and_is_not_promoted(tmp_path: Path) -> None:
    only_last = CONFIG.replace('["all", "last:1"]', '["last:1"]').replace('"mae"', '"rmse"')
    worse = trained(tmp_path, number_rows(1), only_last).measurements
    assert worse.candidate > worse.champion
    assert worse.gain == pytest.approx(worse.champion - worse.candidate)
    assert worse.gain_lower < worse.gain < 0
    assert not check(worse, PromotionRules()).accepted


def test_a_metric_that_is_not_defined_says_why(tmp_path: Path) -> None:
    table = number_rows()
    last = np.arange(len(table)) >= 600
    label = np.where(last, 0.0, table["label"].to_numpy())
    table = table.set_column(table.schema.get_field_index("label"), "label", pa.array(label))
    project = jobs.project(PIPELINE, CONFIG.replace('"mae"', '"mape"'))
    jobs.prepare(tmp_path / "job", project, table, jobs.window(2), b"no model")
    failure = run_job(tmp_path / "job").failure
    assert failure is not None
    assert "all: mape is not defined on 147 rows of the window with a label of 0" in failure.reason
