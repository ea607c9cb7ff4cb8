"""The project that the demo runs."""

from pathlib import Path

from driftloop.demo.example import example_folder, with_seed
from driftloop.project.model import Promotion, Training
from driftloop.project.reading import read_project
from driftloop.project.rules import Policy


def test_the_example_spells_out_the_defaults() -> None:
    project = read_project(example_folder())

    assert project.policy == Policy()
    assert project.training == Training()
    assert project.promotion == Promotion()


def test_a_seed_changes_the_trainings_and_nothing_else(tmp_path: Path) -> None:
    plain = read_project(example_folder())
    seeded = read_project(with_seed(example_folder(), tmp_path / "project", 7))

    assert seeded.training.seed == 7
    assert (seeded.schema, seeded.windows, seeded.policy) == (plain.schema, plain.windows, plain.policy)


def test_without_a_seed_the_example_itself_is_run(tmp_path: Path) -> None:
    assert with_seed(example_folder(), tmp_path / "project", None) == example_folder()
