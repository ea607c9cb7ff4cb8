from pathlib import Path
from typing import Any

from tests.unit.training import jobs

from driftloop.training.comparison import Comparer
from driftloop.training.fit import Mask, TrainingRows, fit
from driftloop.training.user_code import load_build


def test_recipes_that_are_the_same_rows_are_fitted_once_and_measured_alike(tmp_path: Path) -> None:
    project = jobs.project(config=jobs.CONFIG.replace('["all", "last:1"]', '["all", "last:5", "last:1"]'))
    rows = TrainingRows(jobs.rows(), project)
    job = jobs.prepare(tmp_path / "job", project, jobs.rows(), jobs.window(2))
    build = load_build(project.files, tmp_path / "project")
    fitted: list[str] = []

    def counted(recipe: str, mask: Mask) -> Any:
        fitted.append(recipe)
        return fit(build, rows, mask, seed=0, threads=1)

    compared = Comparer(job, project, rows, tmp_path / "job", counted, lambda _: None).compare()

    assert fitted == ["all", "last:1"]
    by_recipe = {candidate.recipe: candidate for candidate in compared.candidates}
    assert (by_recipe["last:5"].metric, by_recipe["last:5"].rows) == (by_recipe["all"].metric, by_recipe["all"].rows)
    assert by_recipe["last:1"].rows < by_recipe["all"].rows
