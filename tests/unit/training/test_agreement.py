"""A rebuilt model beside the recorded one."""

import numpy as np
import pytest
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.training.agreement import agreement
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.user_code import load_build


@pytest.fixture(scope="module")
def project():
    return jobs.project()


@pytest.fixture(scope="module")
def rows(project):
    return TrainingRows(jobs.rows(), project)


@pytest.fixture(scope="module")
def models(project, rows, tmp_path_factory):
    """Two models of the same rows: the second was fitted on the first two of three windows."""
    build = load_build(project.files, tmp_path_factory.mktemp("code"))
    masks = rows.between(None, jobs.window(2).end), rows.between(None, jobs.window(1).end)
    return [fit(build, rows, mask, seed=0, threads=1) for mask in masks]


def compared(project, rows, recorded, rebuilt):
    mask = rows.between(None, jobs.window(2).end)
    return agreement(project, rows, mask, recorded=recorded, rebuilt=skops_file.dump(rebuilt), output=rows.output(rebuilt, mask))


def test_the_same_model_agrees_on_every_row(project, rows, models):
    found = compared(project, rows, skops_file.dump(models[0]), models[0])
    assert (found.rows, found.differing, found.largest_score_difference) == (900, 0, 0.0)
    assert found.recorded_metric == found.rebuilt_metric > 0.8


def test_another_model_is_measured_on_the_held_out_rows(project, rows, models):
    found = compared(project, rows, skops_file.dump(models[1]), models[0])
    predictions = [rows.output(model, np.ones(900, bool)).predictions for model in models]
    assert found.differing == (predictions[0] != predictions[1]).sum() > 0
    assert found.largest_score_difference > 0.01
    assert found.recorded_metric != found.rebuilt_metric


def test_a_recorded_model_that_cannot_be_loaded_here_is_said(project, rows, models):
    found = compared(project, rows, b"PK", models[0])
    assert "not a model file" in found.error
