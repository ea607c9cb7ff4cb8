"""A version whose recipe is a mean: its files, and what the card and the lineage tell of its members."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.artifact.composition import Composition
from driftloop.statistics.profile import Profile
from driftloop.training.fit import TrainingRows
from driftloop.training.job import TrainedModel
from driftloop.training.run import TrainingRun

MEAN = "mean:[all, all+time, decay:4, last:1]"


def run(folder: Path, recipe: str) -> TrainedModel:
    project = jobs.project(config=jobs.CONFIG.replace('["all", "last:1"]', f'["{recipe}"]'))
    job = jobs.prepare(folder, project, jobs.rows(), jobs.window(2))
    return TrainingRun(job, project, TrainingRows(jobs.rows(), project), folder, lambda _: None).run()


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedModel]:
    folder = tmp_path_factory.mktemp("mean") / "job"
    return folder, run(folder, MEAN)


def test_the_model_is_one_file_of_all_members(version: tuple[Path, TrainedModel]) -> None:
    folder, trained = version
    model = skops_file.load((folder / "model.skops").read_bytes())
    assert isinstance(model, Composition)
    assert (len(model.members), model.timed, trained.recipe) == (4, (False, True, False, False), MEAN)


def test_the_card_and_the_lineage_name_the_members(version: tuple[Path, TrainedModel]) -> None:
    folder, trained = version
    members = msgspec.json.decode((folder / "lineage.json").read_bytes())["members"]
    assert [member["recipe"] for member in members] == ["all", "all+time", "decay:4", "last:1"]
    assert [member["rows"] == trained.rows for member in members] == [True, True, True, False]
    card = (folder / "card.md").read_text()
    for member in members:
        assert f"- `{member['recipe']}`: {member['rows']} rows" in card


def test_the_event_time_is_no_column_of_the_profile(version: tuple[Path, TrainedModel]) -> None:
    profile = Profile.decode((version[0] / "profile.json").read_bytes())
    assert set(profile.columns) == {"price", "colour", "$score"}
    assert profile.rows == version[1].rows


def test_other_recipes_name_no_members(tmp_path: Path) -> None:
    """As ever: versions of earlier releases are rebuilt to the byte."""
    run(tmp_path / "job", "all")
    assert "members" not in msgspec.json.decode((tmp_path / "job" / "lineage.json").read_bytes())
    assert "each fitted by itself" not in (tmp_path / "job" / "card.md").read_text()
