"""Rows of held-out keys are for the card and for calibration: no fit ever sees one."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.artifact.model_files import CARD, MODEL
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.run import TrainingRun

# remembers every row that it was fitted on
NEIGHBOURS = """
from sklearn.compose import make_column_transformer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

def build():
    only_price = make_column_transformer(("passthrough", ["price"]))
    return make_pipeline(only_price, KNeighborsClassifier(n_neighbors=5, algorithm="brute"))
"""


def complete_rows() -> pa.Table:
    """Each row has a price of its own, which is also how it is recognised in a model that remembers it."""
    table = jobs.rows()
    prices = pa.array(np.random.default_rng(7).permutation(table.num_rows) / 100)
    return table.set_column(table.column_names.index("price"), "price", prices)


class Remembering:
    """A pipeline that does nothing but note what it was fitted on."""

    frame: pd.DataFrame

    def fit(self, X: pd.DataFrame, y: Any) -> "Remembering":
        self.frame = X
        return self

    def predict(self, X: pd.DataFrame) -> Any:
        return np.zeros(len(X))

    def get_params(self) -> dict[str, Any]:
        return {}

    def set_params(self, **params: Any) -> "Remembering":
        return self


def test_a_fit_sees_all_masked_rows_but_those_held_out() -> None:
    rows = TrainingRows(complete_rows(), jobs.project())
    mask = rows.between(jobs.window(1).start, jobs.window(2).end)

    fitted = fit(Remembering, rows, mask, seed=0, threads=1)

    assert rows.held_out[mask].any()
    assert fitted.frame.index.tolist() == np.flatnonzero(mask & ~rows.held_out).tolist()


def test_the_stored_model_remembers_no_row_of_a_held_out_key(tmp_path: Path) -> None:
    project, table = jobs.project(NEIGHBOURS), complete_rows()
    rows = TrainingRows(table, project)
    job = jobs.prepare(tmp_path / "job", project, table, jobs.window(2))

    TrainingRun(job, project, rows, tmp_path / "job", lambda _: None).run()

    model = skops_file.load((tmp_path / "job" / MODEL).read_bytes())
    remembered = set(model.steps[-1][1]._fit_X[:, 0].tolist())
    prices = np.array(table.column("price"))
    assert remembered == set(prices[~rows.held_out].tolist())
    assert remembered.isdisjoint(prices[rows.held_out].tolist())


def test_the_card_tells_how_good_the_model_is_on_keys_that_it_never_saw(tmp_path: Path) -> None:
    """A model that knows each of its own rows by heart is no better for it."""
    project, table = jobs.project(NEIGHBOURS.replace("n_neighbors=5", "n_neighbors=1")), complete_rows()
    coin = np.random.default_rng(11).random(table.num_rows) < 0.5  # nothing can be learned from the prices
    table = table.set_column(table.column_names.index("label"), "label", pa.array(coin))
    rows = TrainingRows(table, project)
    job = jobs.prepare(tmp_path / "job", project, table, jobs.window(2))

    TrainingRun(job, project, rows, tmp_path / "job", lambda _: None).run()

    said = re.search(r"On (\d+) rows whose split keys were never fitted .*: roc_auc (\S+) ", (tmp_path / "job" / CARD).read_text())
    assert said is not None
    assert int(said[1]) == rows.held_out.sum()
    assert 0.3 < float(said[2]) < 0.7
