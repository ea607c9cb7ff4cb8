"""A snapshot begins where the recipes do: what no candidate is fitted on is not read."""

import pytest
from tests.unit.training import jobs

from driftloop_trainer.pinning import first_row_needed


@pytest.mark.parametrize(
    ("recipes", "weeks_before"), [(["all", "last:1"], None), (["last:1"], 1), (["last:1", "last:3"], 3), (["last:3", "last:1"], 3)]
)
def test_the_recipe_that_looks_back_farthest_says_where_a_snapshot_begins(recipes: list[str], weeks_before: int | None) -> None:
    project = jobs.project(config=jobs.CONFIG.replace('["all", "last:1"]', str(recipes).replace("'", '"')))
    judged = jobs.window(5)
    expected = None if weeks_before is None else judged.start - weeks_before * jobs.WINDOW
    assert first_row_needed(project, judged.start) == expected
