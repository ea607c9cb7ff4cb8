"""A champion that is served elsewhere, as it answered."""

import numpy as np
import pyarrow as pa

from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.rows.schemas import CLASS_PROBABILITIES
from driftloop.training.recorded_champion import recorded_columns, recorded_output

BINARY = StreamSchema(stream="s", features=(Feature(name="x", type="number"),), target=Target(name="y", type="boolean"))
SEVERAL = StreamSchema(stream="s", features=(Feature(name="x", type="number"),), target=Target(name="y", type="category"))


def rows(**columns: object) -> pa.Table:
    return pa.table(columns)


def test_only_what_the_champion_answered_is_read() -> None:
    table = rows(
        label=[True, True, False, True],
        prediction=pa.array([True, None, False, True], pa.bool_()),
        score=pa.array([0.9, None, 0.1, 0.8], pa.float64()),
        model_version=pa.array([2, 2, 1, None], pa.int64()),
    )
    output, answered = recorded_output(table, (2, 3))
    assert answered.tolist() == [True, False, False, False]
    assert output.where(answered).scores.tolist() == [0.9]
    assert output.predictions.dtype == np.bool_
    assert np.isnan(output.scores[~answered]).all()


def test_probabilities_are_those_of_the_rows_that_it_answered() -> None:
    table = rows(
        label=["a", "a", "c"],
        prediction=["a", "b", "c"],
        score=[0.75, 0.5, 1.0],
        model_version=pa.array([1, 1, 9], pa.int64()),
        probabilities=pa.array([[("a", 0.75), ("b", 0.25)], [("a", 0.5), ("b", 0.5)], [("c", 1.0)]], CLASS_PROBABILITIES.type),
    )
    output, answered = recorded_output(table, (1,))
    assert output.classes == ("a", "b")
    assert output.probabilities is not None
    assert output.probabilities[answered].tolist() == [[0.75, 0.25], [0.5, 0.5]]


def test_a_row_without_probabilities_leaves_the_metric_undefined() -> None:
    table = rows(
        label=["a", "a"],
        prediction=["a", "b"],
        score=[0.75, 0.5],
        model_version=pa.array([1, 1], pa.int64()),
        probabilities=pa.array([[("a", 1.0)], None], CLASS_PROBABILITIES.type),
    )
    assert recorded_output(table, (1,))[0].probabilities is None


def test_probabilities_are_read_where_they_are_recorded() -> None:
    assert recorded_columns(BINARY) == ["prediction", "score", "model_version"]
    assert recorded_columns(SEVERAL) == ["prediction", "score", "model_version", "probabilities"]
