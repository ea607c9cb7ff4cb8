"""What will be deployed is what was fitted: a model that loses a part of itself when it is stored never becomes a version."""

from pathlib import Path

import pytest
from tests.unit.training import jobs

from driftloop.artifact.model_files import MODEL
from driftloop.errors import UserError
from driftloop.training.fit import TrainingRows
from driftloop.training.run import TrainingRun

PIPELINE = """
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from tests.unit.training.forgetful import Forgetful

def build():
    only_price = make_column_transformer(("passthrough", ["price"]))
    return make_pipeline(only_price, SimpleImputer(), {step}DecisionTreeClassifier(max_depth=3, random_state=0))
"""
TRUSTED = 'threads = 1\ntrusted_types = ["tests.unit.training.forgetful.Forgetful"]\n'


def run(folder: Path, step: str) -> None:
    project = jobs.project(PIPELINE.format(step=step), jobs.CONFIG.replace("threads = 1\n", TRUSTED))
    table = jobs.rows()
    job = jobs.prepare(folder, project, table, jobs.window(2))
    TrainingRun(job, project, TrainingRows(table, project), folder, lambda _: None).run()


def test_a_model_that_scores_otherwise_once_it_is_stored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the stored model scores otherwise than the fitted one"):
        run(tmp_path / "job", "Forgetful(), ")
    assert not (tmp_path / "job" / MODEL).exists()


def test_the_same_model_without_the_forgetful_step_is_stored(tmp_path: Path) -> None:
    run(tmp_path / "job", "")
    assert (tmp_path / "job" / MODEL).exists()
