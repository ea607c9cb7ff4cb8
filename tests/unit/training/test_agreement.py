"""A rebuilt model beside the recorded one."""

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn.metrics import log_loss
from tests.unit.training import jobs

from driftloop.artifact import pipeline_files
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.agreement import agreement, largest_difference
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
    return agreement(project, rows, mask, recorded=recorded, rebuilt=pipeline_files.dump(rebuilt), output=rows.output(rebuilt, mask))


def test_the_same_model_agrees_on_every_row(project, rows, models):
    found = compared(project, rows, pipeline_files.dump(models[0]), models[0])
    assert (found.rows, found.differing, found.largest_score_difference) == (900, 0, 0.0)
    assert found.recorded_metric == found.rebuilt_metric > 0.8


def test_another_model_is_measured_on_the_held_out_rows(project, rows, models):
    found = compared(project, rows, pipeline_files.dump(models[1]), models[0])
    predictions = [rows.output(model, np.ones(900, bool)).predictions for model in models]
    assert found.differing == (predictions[0] != predictions[1]).sum() > 0
    assert found.largest_score_difference > 0.01
    assert found.recorded_metric != found.rebuilt_metric


def test_a_recorded_model_that_cannot_be_loaded_here_is_said(project, rows, models):
    found = compared(project, rows, {"model.skops": b"PK"}, models[0])
    assert "not a model file" in found.error


def test_of_several_classes_the_probability_of_any_may_differ_and_a_class_may_be_unknown():
    def said(probabilities, classes):
        matrix = np.array(probabilities)
        best = matrix.argmax(axis=1)
        return ModelOutput(np.array(classes, object)[best], matrix.max(axis=1), matrix, classes)

    ours = said([[0.6, 0.3, 0.1]], ("a", "b", "c"))
    assert largest_difference(ours, ours) == 0
    assert largest_difference(ours, said([[0.6, 0.1, 0.3]], ("a", "b", "c"))) == pytest.approx(0.2)
    assert largest_difference(ours, said([[0.6, 0.4]], ("a", "b"))) == pytest.approx(0.1)
    assert largest_difference(said([[0.7, 0.3]], ("a", "b")), ours) == pytest.approx(0.1)


def test_a_model_of_several_classes_is_measured_by_its_probabilities(tmp_path):
    config = jobs.CONFIG.replace('type = "boolean"', 'type = "category"').replace("roc_auc", "log_loss")
    project = jobs.project(config=config)
    table = jobs.rows()
    labels = pc.if_else(table.column("label"), pc.if_else(pc.greater(pc.fill_null(table.column("price"), 0), 12), "two", "one"), "none")
    rows = TrainingRows(table.set_column(table.column_names.index("label"), "label", labels), project)
    mask = rows.between(None, jobs.window(2).end)
    model = fit(load_build(project.files, tmp_path), rows, mask, seed=0, threads=1)
    found = compared(project, rows, pipeline_files.dump(model), model)
    held_out = rows.held_out[mask]
    expected = log_loss(rows.labels[held_out], model.predict_proba(rows.frame[held_out]), labels=model.classes_)
    assert found.recorded_metric == found.rebuilt_metric == pytest.approx(expected, rel=1e-12)
