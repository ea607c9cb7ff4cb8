"""A completed run becomes a version only when the store holds its objects, byte for byte; either way it gets one decision."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from tests.unit.registry.commands import MODEL, measured, pins
from tests.unit.registry.corrections import HALF, LOGIT, project, proposal, recalibrate

from driftloop.adapters.memory import FixedClock, MemoryStore
from driftloop.contracts.codec import envelope
from driftloop.contracts.commands import Command
from driftloop.contracts.events import DecisionMade, TrainingCompleted
from driftloop.contracts.recalibration import RecalibrationProposal
from driftloop.contracts.topics import DECISIONS, REGISTRY_LOG
from driftloop.contracts.values import GateMeasurements
from driftloop.registry.fold import ModelState, RegistryState, fold
from driftloop_registry.command_log import CommandLog
from driftloop_registry.handlers import TrainingRuns

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Registry:
    """Reader and publisher in one: what is written to the log is folded at once."""

    def __init__(self) -> None:
        self.now, _ = fold(RegistryState(), project(), 0)
        self.decisions: list[DecisionMade] = []
        self.store = MemoryStore()
        self.runs = TrainingRuns(CommandLog(self, self, timeout_seconds=1), self, self, self.store, FixedClock(NOW))

    def state(self) -> RegistryState:
        return self.now

    def publish(self, topic: str, event: Any, *, key: str, id: str, time: datetime | None = None) -> None:
        if topic == REGISTRY_LOG:
            self.now, _ = fold(self.now, event, self.now.next_offset)
        if topic == DECISIONS:
            self.decisions.append(event)

    def stored(self, request_id: str, model: bytes = b"the model") -> str:
        """Digest of a manifest that is in the store with its file."""
        files = {"model.skops": {"sha256": hashlib.sha256(model).hexdigest(), "size": len(model)}}
        manifest = msgspec.json.encode({"model": MODEL, "request_id": request_id, "files": files})
        digest = hashlib.sha256(manifest).hexdigest()
        self.store.put(f"models/{MODEL}/{digest}/manifest.json", manifest)
        self.store.put(f"models/{MODEL}/{digest}/model.skops", model)
        return digest

    def complete(
        self,
        request_id: str,
        manifest: str,
        measurements: GateMeasurements | None = None,
        epoch: int = 0,
        *recalibrations: RecalibrationProposal,
    ) -> DecisionMade:
        """The decision on the run's promotion."""
        event = TrainingCompleted(
            model=MODEL,
            request_id=request_id,
            answers=(request_id,),
            manifest=manifest,
            pins=pins(epoch, against=epoch or None),
            recipe="all",
            candidates=(),
            measurements=measurements,
            rows=100,
            seconds=1.0,
            recalibrations=recalibrations or msgspec.UNSET,
        )
        self.runs.on_training_completed(event, envelope(event, id=request_id, source="driftloop/trainer", subject=MODEL))
        return [decision for decision in self.decisions if decision.kind == "promote"][-1]

    def say(self, command: Command) -> None:
        self.now, _ = fold(self.now, command, self.now.next_offset)

    def recalibrations(self) -> list[DecisionMade]:
        return [decision for decision in self.decisions if decision.kind == "recalibrate"]

    def model(self) -> ModelState:
        model = self.now.model(MODEL)
        assert model is not None
        return model

    def versions(self) -> list[str]:
        model = self.now.model(MODEL)
        assert model is not None
        return [version.manifest for version in model.versions]


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_a_run_whose_objects_verify_becomes_a_version_and_the_first_champion(registry: Registry) -> None:
    digest = registry.stored("r1")
    assert registry.complete("r1", digest).accepted
    assert registry.versions() == [digest]


@pytest.mark.parametrize(
    ("key", "content", "reason"),
    [
        ("manifest.json", None, "the store holds no"),
        ("manifest.json", b"{}", "their sha256 is"),
        ("model.skops", None, "the store holds no"),
        ("model.skops", b"THE MODEL", "their sha256 is"),
        ("model.skops", b"longer than it says", "bytes, expected"),
    ],
)
def test_a_run_whose_objects_do_not_verify_becomes_no_version(registry: Registry, key: str, content: bytes | None, reason: str) -> None:
    digest = registry.stored("r1")
    if content is None:
        registry.store.delete(f"models/{MODEL}/{digest}/{key}")
    else:
        registry.store.put(f"models/{MODEL}/{digest}/{key}", content)

    decision = registry.complete("r1", digest)

    assert not decision.accepted
    assert reason in decision.reason
    assert registry.versions() == []


def test_a_manifest_of_another_request_becomes_no_version(registry: Registry) -> None:
    decision = registry.complete("r2", registry.stored("r1"))
    assert not decision.accepted
    assert "belongs to request 'r1'" in decision.reason
    assert registry.versions() == []


def test_a_repeat_is_answered_as_the_first_time_also_when_the_objects_are_gone(registry: Registry) -> None:
    digest = registry.stored("r1")
    first = registry.complete("r1", digest)
    for found in list(registry.store.list("models/")):
        registry.store.delete(found.key)
    assert registry.complete("r1", digest) == first
    assert registry.versions() == [digest]


def test_what_a_second_trainer_measured_of_other_files_promotes_nothing(registry: Registry) -> None:
    registry.complete("r0", registry.stored("r0"))
    first, second = registry.stored("r1"), registry.stored("r1", b"another model")
    assert not registry.complete("r1", first, measured(against=1, gain_lower=-1.0), epoch=1).accepted
    decision = registry.complete("r1", second, measured(against=1), epoch=1)
    assert not decision.accepted
    model = registry.now.model(MODEL)
    assert model is not None
    assert model.champion == model.version(1)
    assert registry.versions()[1] == first


def test_a_run_that_was_decided_against_leaves_no_further_record_whatever_has_become_of_its_objects(registry: Registry) -> None:
    digest = registry.stored("r1")
    registry.store.delete(f"models/{MODEL}/{digest}/model.skops")
    first = registry.complete("r1", digest)
    end = registry.now.next_offset
    registry.stored("r1")
    assert registry.complete("r1", digest) == first
    assert (registry.versions(), registry.now.next_offset) == ([], end)


def verdicts() -> dict[str, float]:
    labels = [(model, outcome) for model in (MODEL, "other") for outcome in ("accepted", "refused", "not-measured")]
    found = {f"{m} {o}": REGISTRY.get_sample_value("driftloop_gate_total", {"model": m, "outcome": o}) or 0 for m, o in labels}
    return {label: value for label, value in found.items() if value}


def test_verdicts_are_counted_and_those_that_nothing_was_measured_for_apart(registry: Registry) -> None:
    before = verdicts()
    registry.complete("r1", registry.stored("r1"))  # the first champion
    registry.complete("r2", registry.stored("r2", b"another"))
    grown = {label: count - before.get(label, 0) for label, count in verdicts().items()}
    assert {label: count for label, count in grown.items() if count} == {f"{MODEL} accepted": 1, f"{MODEL} not-measured": 1}


def test_verdicts_on_models_that_nobody_registered_share_one_metric(registry: Registry) -> None:
    before = verdicts().get("other not-measured", 0)
    registry.now = RegistryState()
    registry.complete("r1", "0" * 64)
    assert verdicts()["other not-measured"] == before + 1


LOSES = measured(against=1, gain_lower=-0.01)  # the candidate stays one
WINS = measured(against=1)


@pytest.mark.parametrize(
    ("measurements", "in_force"), [(LOSES, LOGIT), (WINS, HALF)], ids=["the champion's when it stays", "its own when it is promoted"]
)
def test_a_run_corrects_the_answers_of_whoever_is_champion_after_it(
    registry: Registry, measurements: GateMeasurements, in_force: object
) -> None:
    registry.complete("r1", registry.stored("r1"))
    registry.complete("r2", registry.stored("r2"), measurements, 1, proposal(LOGIT), proposal(HALF, of="candidate", full=LOGIT))

    assert registry.model().recalibration_in_force == in_force
    (decision,) = registry.recalibrations()
    assert decision.accepted
    assert decision.request_id == "r2"
    assert decision.evidence["proposal"]["full"]["intercept"] == LOGIT.intercept
    assert len(registry.model().versions) == 2


def test_a_repeat_corrects_once_and_decides_as_the_first_time_also_after_a_person_ended_it(registry: Registry) -> None:
    registry.complete("r1", registry.stored("r1"))
    manifest = registry.stored("r2")
    registry.complete("r2", manifest, LOSES, 1, proposal())
    registry.complete("r2", manifest, LOSES, 1, proposal())
    registry.say(recalibrate(None, command_id="clear", epoch=1))
    registry.complete("r2", manifest, LOSES, 1, proposal())

    assert [record.recalibration for record in registry.model().recalibrations.values()] == [LOGIT, None]
    first, *others = registry.recalibrations()
    assert others == [first, first]


def test_what_leaves_nothing_to_decide_is_no_decision_and_no_record(registry: Registry) -> None:
    registry.complete("r1", registry.stored("r1"))
    registry.complete("r2", registry.stored("r2"), LOSES, 1, proposal(None))
    registry.complete("r3", registry.stored("r3"), LOSES, 1)  # a release without proposals
    registry.say(recalibrate())
    before = registry.now.next_offset
    registry.complete("r4", registry.stored("r4"), LOSES, 1, proposal(LOGIT))

    assert registry.recalibrations() == []
    assert registry.now.next_offset == before + 2  # the version and its promotion


def test_none_ends_the_one_that_is_in_force(registry: Registry) -> None:
    registry.complete("r1", registry.stored("r1"))
    registry.say(recalibrate())
    registry.complete("r2", registry.stored("r2"), LOSES, 1, proposal(None))

    assert registry.model().recalibration_in_force is None
    assert [(d.accepted, d.reason) for d in registry.recalibrations()] == [(True, "no correction: no window has judged one yet")]


def test_a_run_whose_champion_has_gone_since_corrects_nobodys_answers(registry: Registry) -> None:
    for request in ("r1", "r2"):
        registry.complete(request, registry.stored(request), WINS if request == "r2" else None, int(request == "r2"))
    registry.complete("r3", registry.stored("r3"), LOSES, 1, proposal())

    (decision,) = registry.recalibrations()
    assert not decision.accepted
    assert "has moved since" in decision.reason


def test_a_run_that_becomes_no_version_corrects_nothing(registry: Registry) -> None:
    registry.complete("r1", registry.stored("r1"))
    registry.complete("r2", "0" * 64, LOSES, 1, proposal())

    assert registry.recalibrations() == []
    assert registry.model().recalibration is None
