"""What a challenger came to is put to the gate, once a window, where the project says so, while the two are challenger and champion."""

from datetime import timedelta

import msgspec
import pytest
from tests.support.registered import register_command
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.unit.registry.commands import MODEL, WINDOW, measured
from tests.unit.registry.test_training_runs import NOW, Registry

from driftloop.adapters.memory import FixedClock
from driftloop.contracts.codec import envelope
from driftloop.contracts.commands import MoveAlias
from driftloop.contracts.events import ChallengerMeasured, DecisionMade
from driftloop.contracts.values import PromotionRules, Window
from driftloop.project.reading import parse_project
from driftloop.registry.fold import RegistryState
from driftloop_registry.command_log import CommandLog
from driftloop_registry.project_settings import ProjectSettings
from driftloop_registry.shadow_evidence import ShadowEvidence

LATER = Window(start=WINDOW.end, end=WINDOW.end + timedelta(days=7))


class Evidence(Registry):
    """Version 1 is champion, version 2 was refused and is its challenger."""

    def __init__(self, *, wanted: bool = True, approval: str = "automatic", rules: PromotionRules | None = None) -> None:
        super().__init__()
        self.now = RegistryState()
        files = sample_project(small_schema(MODEL), approval=approval).files
        config = files["driftloop.toml"].replace(b"[promotion]", f"[promotion]\nshadow_evidence = {str(wanted).lower()}".encode())
        project = parse_project({**files, "driftloop.toml": config}, where="test")
        command = register_command(project, self.store, NOW, "project")
        self.say(msgspec.structs.replace(command, promotion=rules or PromotionRules(approval=project.promotion.approval)))
        self.complete("r1", self.stored("r1"))
        self.move("champion", 1)
        self.complete("r2", self.stored("r2"), measured(against=1, gain_lower=-0.1), self.model().champion_epoch)
        self.move("challenger", 2)
        self.decisions.clear()
        settings = ProjectSettings(self.store)
        self.evidence = ShadowEvidence(CommandLog(self, self, timeout_seconds=1), self, self, settings, FixedClock(NOW))

    def move(self, alias: str, version: int) -> None:
        fields = {"model": MODEL, "alias": alias, "version": version, "expected_epoch": self.model().epoch(alias)}
        self.say(MoveAlias(command_id=f"{alias}-{self.now.next_offset}", at=NOW, actor="ada", reason="", **fields))

    def told(self, version: int = 2, against: int = 1, window: Window = LATER, gain_lower: float = 0.01) -> list[DecisionMade]:
        found = msgspec.structs.replace(measured(against=against, gain_lower=gain_lower), window=window)
        event = ChallengerMeasured(model=MODEL, stream=MODEL, version=version, measurements=found)
        self.evidence.on_challenger_measured(event, envelope(event, id="e", source="driftloop/monitor", subject=MODEL))
        return self.decisions

    def champion(self) -> int:
        champion = self.model().champion
        assert champion is not None
        return champion.version


def test_challenger_whose_gain_is_sure_becomes_champion_and_the_decision_has_its_evidence() -> None:
    registry = Evidence()
    (decision,) = registry.told()
    assert decision.accepted
    assert decision.reason.startswith("as challenger: roc_auc")
    assert (decision.request_id, decision.window, decision.evidence["by"]) == ("r2", LATER, "shadow")
    assert registry.champion() == 2
    assert registry.model().challenger is None, "the promotion ends it"


def test_gain_that_is_not_sure_leaves_the_champion_and_the_next_window_asks_again() -> None:
    registry = Evidence()
    assert [decision.accepted for decision in registry.told(gain_lower=-0.01)] == [False]
    assert registry.champion() == 1
    assert [decision.accepted for decision in registry.told(window=WINDOW)] == [False, True]
    assert registry.champion() == 2


def test_window_is_one_question_however_often_it_is_told_and_whatever_is_measured_then() -> None:
    registry = Evidence()
    registry.told(gain_lower=-0.01)
    again = registry.told(gain_lower=0.02)
    assert [decision.accepted for decision in again] == [False, False]
    assert registry.champion() == 1
    assert len({decision.reason for decision in again}) == 1


def test_project_that_does_not_ask_for_it_decides_nothing() -> None:
    registry = Evidence(wanted=False)
    assert registry.told() == []
    assert registry.champion() == 1


def test_evidence_of_two_who_are_no_longer_challenger_and_champion_decides_nothing() -> None:
    registry = Evidence()
    registry.move("challenger", 1)
    assert registry.told() == []
    registry.move("challenger", 2)
    assert registry.told(against=2) == []
    assert registry.told(version=9) == []
    assert registry.champion() == 1


def test_person_is_asked_where_the_project_says_so() -> None:
    registry = Evidence(approval="person")
    (decision,) = registry.told()
    assert not decision.accepted
    assert "waiting for approval" in decision.reason
    assert registry.model().state_of(2) == "waiting"
    assert registry.champion() == 1


@pytest.mark.parametrize("rail", ["max_segment_loss", "max_latency_ratio", "max_size_mib"])
def test_guard_rail_that_answers_do_not_measure_leaves_it_to_a_person(rail: str) -> None:
    registry = Evidence(rules=PromotionRules(**{rail: 1.0}))
    (decision,) = registry.told()
    assert not decision.accepted
    assert f"do not measure {rail}" in decision.reason
    assert registry.champion() == 1
