"""Where the project says so, the newest run that did not become champion is the challenger, once, until the champion moves."""

import pytest
from tests.support.registered import register_command
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.unit.registry.commands import MODEL, measured, register_version
from tests.unit.registry.test_training_runs import NOW, Registry

from driftloop.contracts.commands import MoveAlias
from driftloop.project.reading import parse_project
from driftloop.registry.fold import RegistryState


class Shadowing(Registry):
    """A registry whose project says who is challenger."""

    def __init__(self, setting: str) -> None:
        super().__init__()
        files = sample_project(small_schema(MODEL)).files
        config = files["driftloop.toml"] + f'\n[serving]\nshadow = "{setting}"\n'.encode()
        project = parse_project({**files, "driftloop.toml": config}, where="test")
        self.now = RegistryState()
        self.say(register_command(project, self.store, NOW, "with shadow"))
        self.complete("r1", self.stored("r1"))

    def refused(self, request_id: str, epoch: int = 1) -> None:
        """A run that was measured and is no better."""
        decision = self.complete(request_id, self.stored(request_id), measured(against=epoch, gain_lower=-0.1), epoch)
        assert not decision.accepted, decision.reason

    def named(self) -> int | None:
        challenger = self.model().challenger
        return None if challenger is None else challenger.version


def test_refused_candidate_answers_beside_the_champion_and_the_next_takes_its_place() -> None:
    registry = Shadowing("candidates")
    assert registry.named() is None
    registry.refused("r2")
    assert registry.named() == 2
    registry.refused("r3")
    assert registry.named() == 3
    moves = [entry for entry in registry.model().history.values() if entry.alias == "challenger"]
    assert [(entry.actor, entry.moved.epoch) for entry in moves] == [("driftloop/registry", 1), ("driftloop/registry", 2)]
    assert "did not become champion" in moves[0].reason


def test_repeat_of_a_run_names_nobody_anew() -> None:
    registry = Shadowing("candidates")
    registry.refused("r2")
    registry.say(challenger(1, epoch=1))  # a person has ended it
    registry.refused("r2")
    assert registry.named() is None


def test_late_news_of_an_older_run_names_nobody() -> None:
    """A registry that died between a run's version and its challenge is told of the run again, after a newer one."""
    registry = Shadowing("candidates")
    registry.stored("r2")
    registry.say(register_version("r2"))
    registry.refused("r3")
    assert registry.named() == 3
    event_before = registry.model().epoch("challenger")
    registry.complete("r2", registry.model().versions[1].manifest, measured(against=1, gain_lower=-0.1), 1)
    assert registry.named() == 3
    assert registry.model().epoch("challenger") == event_before


def test_run_of_before_the_champion_moved_is_no_challenger() -> None:
    registry = Shadowing("candidates")
    registry.refused("r2")
    registry.say(MoveAlias(command_id="m", at=NOW, actor="ada", reason="", model=MODEL, alias="champion", version=2, expected_epoch=1))
    registry.refused("r3", epoch=1)
    assert registry.named() is None


def test_promoted_run_is_champion_and_nobody_s_challenger() -> None:
    registry = Shadowing("candidates")
    assert registry.complete("r2", registry.stored("r2"), measured(against=1), 1).accepted
    assert registry.named() is None


def test_project_that_names_its_challengers_itself_gets_none() -> None:
    registry = Shadowing("named")
    registry.refused("r2")
    assert registry.named() is None


def test_archive_that_is_gone_names_nobody() -> None:
    registry = Shadowing("candidates")
    project = registry.model().project
    assert project is not None
    registry.store.delete(f"projects/{project.project}/{project.archive}.zip")
    registry.refused("r2")
    assert registry.named() is None


def challenger(version: int, epoch: int) -> MoveAlias:
    fields = {"model": MODEL, "alias": "challenger", "version": version, "expected_epoch": epoch}
    return MoveAlias(command_id=f"challenger-{epoch}", at=NOW, actor="ada", reason="", **fields)


@pytest.mark.parametrize("setting", ["champion", "all"])
def test_who_answers_beside_the_champion_is_one_of_two_words(setting: str) -> None:
    with pytest.raises(Exception, match="shadow"):
        Shadowing(setting)
