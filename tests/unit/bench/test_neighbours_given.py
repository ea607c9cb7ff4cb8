"""What the benchmark hands over is what a neighbour's program reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from bench.loop.neighbours import hand_over
from bench.loop.sets import HERE
from bench.loop.streams import PER_WINDOW, clicks, drawn, orders, table
from bench.neighbours import given

from driftloop.project.reading import read_project
from driftloop.statistics.metrics import ModelOutput

BOUNDS = [w * PER_WINDOW for w in (2, 3, 4)]


class Answered:
    """Models that say of every row what the label is, but for the first row of each; the one fitted later is a tenth off."""

    def __init__(self, project: str, columns: dict[str, Any]) -> None:
        self.project, self.table = read_project(HERE / project), table(columns)
        self.labels, self.bounds, self.judged = columns["label"], BOUNDS, ["first", "second"]

    def output(self, recipe: str, fitted: int) -> ModelOutput:
        assert recipe == "all"
        labels = self.labels[BOUNDS[fitted] : BOUNDS[-1]]
        scores = labels.astype(float) + (0.1 * fitted if self.project.schema.target.task == "regression" else 0.0)
        scores[0] = 1.0 - scores[0]
        return ModelOutput(scores if self.project.schema.target.task == "regression" else scores >= 0.5, scores)


@pytest.mark.parametrize(("project", "stream"), [("clicks", clicks), ("orders", orders)])
def test_rows_and_answers_arrive_as_they_were_given(tmp_path: Path, project: str, stream: Any) -> None:
    answered = Answered(project, stream(drawn(0)))
    hand_over(answered, "all", tmp_path)  # type: ignore[arg-type]
    found = given.read(tmp_path)
    names = [feature.name for feature in answered.project.schema.features]
    assert [*found.numbers, *found.categories] == sorted(names, key=lambda name: name == "product")
    assert pq.read_table(found.rows).equals(answered.table.select([*names, "label"]))
    assert found.bounds == BOUNDS
    for fitted, window in ((0, 0), (0, 1), (1, 1)):
        output = answered.output("all", fitted)
        rows = slice(BOUNDS[window] - BOUNDS[fitted], BOUNDS[window + 1] - BOUNDS[fitted])
        said = found.outputs(fitted, window)
        assert np.array_equal(said["scores"], output.scores[rows])
        assert np.array_equal(said["predictions"], output.predictions[rows])
    errors = found.outputs(1, 1)["errors"]
    assert errors[1:] == pytest.approx(0.0 if project == "clicks" else 0.1)
    assert errors[0] == pytest.approx(1.0 if project == "clicks" else abs(0.9 - 2 * answered.labels[BOUNDS[1]]))
