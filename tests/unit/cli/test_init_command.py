"""`driftloop init`: what is asked, of whom, and that nothing is written before all is known."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.hives import FEATURES, write_hives

from driftloop.cli import init as command
from driftloop.cli.main import cli
from driftloop.cli.stack.replay import speed_of
from driftloop.errors import UserError
from driftloop.project.reading import read_project


@pytest.fixture(scope="module")
def hives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hives(tmp_path_factory.mktemp("hives") / "hives.csv", 2_500)


def run(*arguments: str, answers: str | None = None):
    return CliRunner().invoke(cli, ["init", *arguments], input=answers)


def test_without_a_terminal_an_open_choice_is_a_sentence_that_names_the_option(tmp_path: Path, hives: Path) -> None:
    for more in ((), ("--yes",)):
        done = run(str(tmp_path / "new"), "--data", str(hives), *more)
        assert done.exit_code == 2
        assert "error: which column is to be predicted?; say which with --target: Reading No, hive_id" in done.stderr
        assert not (tmp_path / "new").exists()


def test_on_a_terminal_it_is_asked_until_nothing_is_open(tmp_path: Path, hives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "somebody_is_there", lambda: True)
    done = run(str(tmp_path / "new"), "--data", str(hives), answers="nothing\nswarmed\n")
    assert done.exit_code == 0, done.output
    assert "which column is to be predicted?" in done.output
    assert read_project(tmp_path / "new").schema.target.name == "swarmed"


def test_what_was_found_is_told_as_a_table_and_as_json_and_a_project_is_never_overwritten(tmp_path: Path, hives: Path) -> None:
    told = run(str(tmp_path / "a"), "--data", str(hives), "--target", "swarmed")
    assert told.exit_code == 0, told.output
    assert "alone it predicts swarmed" in told.stdout
    assert f"driftloop replay {tmp_path / 'a'}" in told.stdout
    assert "have no offset from UTC: they are taken as UTC" in told.stdout
    found = run(str(tmp_path / "b"), "--data", str(hives), "--target", "swarmed", "--keep", "mites_after", "--drop", "queen", "--json")
    data = json.loads(found.stdout)
    assert {c["name"] for c in data["columns"] if c["role"] == "feature"} == FEATURES - {"queen"} | {"mites_after"}
    again = run(str(tmp_path / "a"), "--data", str(hives), "--target", "swarmed")
    assert (again.exit_code, "holds a project already: name another folder" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --data FILE or --topic TOPIC"),
        (("--data", "none.csv"), "none.csv: there is no such file"),
        (("--data", "x.csv", "--type", "queen"), "--type queen: write COLUMN=TYPE, and as the type one of number, integer"),
    ],
)
def test_wrong_use_is_a_sentence(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(str(tmp_path / "new"), *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_replays_speed_is_how_much_time_a_second_is() -> None:
    assert (speed_of("max"), speed_of("1d/s"), speed_of("90s/s")) == (None, 86_400, 90)
    for wrong in ("fast", "1d", "0d/s", "1d/h"):
        with pytest.raises(UserError, match="write max, or how much of the stream's time a second is"):
            speed_of(wrong)
