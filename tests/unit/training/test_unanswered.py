"""Rows of the judged window that the champion has no answer for cost only themselves."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.job import Result
from driftloop.training.user_code import load_build

STRICT = """
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

def build():
    columns = make_column_transformer((OneHotEncoder(), ["colour"]), (SimpleImputer(), ["price"]))
    return make_pipeline(columns, LogisticRegression())
"""  # with scikit-learn's own handle_unknown="error"
NEW, WINDOWS, PER_WINDOW = 40, 4, 300


def judged(folder: Path, new_in_window: int) -> tuple[Result, str]:
    """A run on the fourth window against a champion of the first two; ``colour`` has a value since the third that is new to it."""
    table = jobs.rows(WINDOWS, PER_WINDOW)
    colours = np.array(table.column("colour").to_pylist(), dtype=object)
    colours[2 * PER_WINDOW : 2 * PER_WINDOW + 50] = "blue"
    colours[3 * PER_WINDOW : 3 * PER_WINDOW + new_in_window] = "blue"
    table = table.set_column(table.column_names.index("colour"), "colour", pa.array(colours, pa.string()))
    strict = jobs.project(STRICT)
    rows = TrainingRows(table, strict)
    champion = fit(load_build(strict.files, folder / "old"), rows, rows.between(None, jobs.window(1).end), seed=0, threads=1)
    one_recipe = jobs.project(config=jobs.CONFIG.replace('["all", "last:1"]', '["all"]'))
    data, fitted_to = skops_file.dump(champion), jobs.window(1).end
    jobs.prepare(folder / "job", one_recipe, table, jobs.window(3), data, champion_fitted_to=fitted_to)
    result = jobs.run(folder / "job")
    return result, (folder / "job" / "card.md").read_text()


def test_the_champion_is_measured_on_the_others_and_the_card_says_so(tmp_path: Path) -> None:
    result, card = judged(tmp_path, NEW)
    assert result.failure is None
    measured = result.trained.measurements
    assert measured.rows == PER_WINDOW - NEW
    assert measured.champion > 0.8
    assert measured.cost.rows == PER_WINDOW - NEW  # scoring is timed on rows that both answer, too
    assert f"has no answer for {NEW} of the {PER_WINDOW} rows that judge" in card


def test_a_champion_without_any_answer_is_not_measured_and_the_run_goes_on(tmp_path: Path) -> None:
    result, card = judged(tmp_path, PER_WINDOW)
    assert result.failure is None
    assert result.trained.measurements is None
    assert "could not be compared: scoring with the champion raised ValueError: Found unknown categories" in card
