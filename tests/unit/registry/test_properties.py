"""The fold over any order of commands, repeats and hostile ones included."""

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.unit.registry.commands import (
    approve,
    delete,
    measured,
    move_alias,
    promote,
    register_project,
    register_version,
    reject,
)
from tests.unit.registry.corrections import HALF, LOGIT, project, proposal, recalibrate

from driftloop.contracts.codec import decode_event, encode_event, envelope
from driftloop.contracts.commands import ApproveVersion, Command, MoveAlias
from driftloop.contracts.values import PromotionRules
from driftloop.registry.dry_run import answer_without_record
from driftloop.registry.fold import Outcome, RegistryState, fold
from driftloop.registry.persistent_map import PersistentMap, ReplacingMap
from driftloop.registry.stored_state import decode_state, encode_state

models = st.sampled_from(["flights", "rides", "../x"])
requests = st.sampled_from(["r1", "r2", "r3", "r4", ""])
epochs = st.integers(-1, 4)
versions = st.integers(-1, 5)


class AnyLog(RuleBasedStateMachine):
    """Appends commands to a log and folds each; keeps every state it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[int, Command]] = []
        self.states = [RegistryState()]
        self.digests = [RegistryState().digest()]
        self.first: dict[str, Outcome] = {}
        self.n = 0

    def append(self, command: Command) -> None:
        about = envelope(command, id=command.command_id, source="test", subject="x")
        command = decode_event(*encode_event(command, about))[0] if _on_the_wire(command) else command
        before, offset = self.states[-1], self.states[-1].next_offset
        told = answer_without_record(before, command)
        after, outcome = fold(before, command, offset)
        if told is not None:
            assert outcome == told
            assert _facts(after) == _facts(before)
        else:
            assert _facts(after) != _facts(before)
        if command.command_id in self.first:
            assert outcome == self.first[command.command_id]
            assert _facts(after) == _facts(before)
        if not outcome.accepted and not outcome.waiting:
            assert _facts(after) == _facts(before)
        if outcome.waiting:
            assert not outcome.accepted
            assert _aliases(after) == _aliases(before)
        self.first.setdefault(command.command_id, outcome)
        self.log.append((offset, command))
        self.states.append(after)
        self.digests.append(after.digest())

    def new_id(self) -> str:
        self.n += 1
        return f"c{self.n}"

    @rule(model=models, archive=st.sampled_from(["a", "b"]), approval=st.sampled_from(["automatic", "automatic", "person"]))
    def register_a_project(self, model, archive, approval):
        self.append(register_project(self.new_id(), model=model, archive=archive, rules=PromotionRules(approval=approval)))

    @rule(approval=st.sampled_from(["automatic", "automatic", "person"]))
    def register_a_project_that_says_what_it_predicts(self, approval):
        self.append(project(self.new_id(), rules=PromotionRules(approval=approval)))

    @rule(model=models, request=requests, manifest=st.sampled_from(["m1", "m1", "m2"]), against=st.none() | versions)
    def register_a_version(self, model, request, manifest, against):
        self.append(register_version(request, command_id=self.new_id(), manifest=manifest, model=model, against=against))

    @rule(model=models, request=requests, epoch=epochs, gain=st.sampled_from([None, -0.1, 0.0, 0.1]), against=versions)
    def promote_a_version(self, model, request, epoch, gain, against):
        measurements = None if gain is None else measured(against=against, gain_lower=gain)
        self.append(promote(request, epoch=epoch, measured=measurements, command_id=self.new_id(), model=model))

    @rule(model=models, alias=st.sampled_from(["champion", "challenger", "%2e%2e"]), version=versions, epoch=epochs)
    def move_an_alias(self, model, alias, version, epoch):
        self.append(move_alias(version, epoch=epoch, command_id=self.new_id(), alias=alias, model=model))

    @rule(model=models, request=requests, gain=st.sampled_from([-0.1, 0.1]))
    def put_a_version_to_the_gate(self, model, request, gain):
        """As the registry does: measured against the champion of now, at its epoch."""
        known = self.states[-1].model(model)
        epoch, champion = (known.champion_epoch, known.champion) if known else (0, None)
        measurements = measured(against=champion.version, gain_lower=gain) if champion else None
        self.append(promote(request, epoch=epoch, measured=measurements, command_id=self.new_id(), model=model))

    @rule(model=models, numbers=st.sampled_from([None, LOGIT, HALF]), version=versions, champion=epochs, epoch=epochs)
    def correct_the_answers_of_a_version(self, model, numbers, version, champion, epoch):
        command = recalibrate(
            numbers, command_id=self.new_id(), version=version, champion_epoch=champion, epoch=epoch, request_id="r1", model=model
        )
        self.append(command)

    @rule(numbers=st.sampled_from([None, LOGIT, HALF]), request=st.none() | requests, of=st.sampled_from(["champion", "candidate"]))
    def correct_the_champions_answers(self, numbers, request, of):
        """As a person does, or the registry with what a run proposes: of the champion of now, at its epoch."""
        known = self.states[-1].model("flights")
        if known is None or known.champion is None:
            return
        found = None if request is None else proposal(numbers, of=of)
        command = recalibrate(
            numbers,
            command_id=self.new_id(),
            version=known.champion.version,
            champion_epoch=known.champion_epoch,
            epoch=known.recalibration_epoch,
            proposal=found,
            request_id=request,
        )
        self.append(command)

    @rule(model=models, say=st.sampled_from([approve, reject, delete]), version=versions)
    def say_of_a_version(self, model, say, version):
        self.append(say(version, command_id=self.new_id(), model=model))

    @rule(model=models, say=st.sampled_from([approve, approve, reject, delete]))
    def say_of_a_waiting_version(self, model, say):
        known = self.states[-1].model(model)
        for number in [n for n in known.standings if known.state_of(n) == "waiting"][:1] if known else []:
            self.append(say(number, command_id=self.new_id(), model=model))

    @rule(data=st.data())
    def deliver_a_command_again(self, data):
        if self.log:
            self.append(data.draw(st.sampled_from(self.log))[1])

    @rule(data=st.data())
    def read_an_old_record_again(self, data):
        if self.log:
            offset, command = data.draw(st.sampled_from(self.log))
            again, outcome = fold(self.states[-1], command, offset)
            assert again == self.states[-1]
            assert outcome == self.first[command.command_id]

    @invariant()
    def versions_are_dense_and_name_one_manifest_for_ever(self):
        for before, after in zip(self.states[-2:], self.states[-1:], strict=False):
            for name, model in before.models.items():
                assert after.models[name].versions[: len(model.versions)] == model.versions
        for model in self.states[-1].models.values():
            assert [v.version for v in model.versions] == list(range(1, len(model.versions) + 1))
            assert len({v.request_id for v in model.versions}) == len(model.versions)

    @invariant()
    def epochs_only_rise_by_one_and_point_at_a_version(self):
        for before, after in zip(self.states[-2:], self.states[-1:], strict=False):
            for name, model in after.models.items():
                for alias, to in model.aliases.items():
                    old = before.models[name].epoch(alias) if name in before.models else 0
                    assert to.epoch - old in (0, 1)
                    assert model.version(to.version) is not None

    @invariant()
    def corrections_are_of_the_champion_of_their_time_and_each_has_the_next_epoch(self):
        for before, after in zip(self.states[-2:], self.states[-1:], strict=False):
            for name, model in after.models.items():
                old = before.models.get(name, model)
                assert model.recalibration_epoch - old.recalibration_epoch in (0, 1)
                assert list(model.recalibrations.values())[: old.recalibration_epoch] == list(old.recalibrations.values())
                if model.champion_epoch != old.champion_epoch:
                    assert model.recalibration_in_force is None
        for model in self.states[-1].models.values():
            records = list(model.recalibrations.values())
            assert [record.epoch for record in records] == list(range(1, len(records) + 1))
            assert (records[-1] if records else None) == model.recalibration

    @invariant()
    def deleted_is_for_ever_and_nothing_that_holds_is_deleted(self):
        for before, after in zip(self.states[-2:], self.states[-1:], strict=False):
            for name, model in before.models.items():
                gone = {n: s for n, s in model.standings.items() if s.state == "deleted"}
                assert gone.items() <= after.models[name].standings.items()
                for number in after.models[name].standings.keys() - model.standings.keys():
                    if after.models[name].state_of(number) == "deleted":
                        assert not any(v.pins.champion_version == number for v in model.versions[number:] if v.version not in gone)
        for model in self.states[-1].models.values():
            assert all(model.version(number) is not None for number in model.standings)
            assert all(model.state_of(alias.version) != "deleted" for alias in model.aliases.values())

    @invariant()
    def champion_of_a_project_that_asks_for_a_person_moves_only_by_one(self):
        for before, after in zip(self.states[-2:], self.states[-1:], strict=False):
            for name, model in before.models.items():
                moved = after.models[name].champion_epoch != model.champion_epoch
                if moved and model.project.promotion.approval == "person":
                    assert isinstance(self.log[-1][1], MoveAlias | ApproveVersion)
                if moved and isinstance(self.log[-1][1], ApproveVersion):
                    standing = model.standings[self.log[-1][1].version]
                    assert standing.champion_epoch == model.champion_epoch

    def teardown(self):
        """Purity and prefixes: folding again gives every state's digest, and no state seen has changed since."""
        assert [state.digest() for state in self.states] == self.digests
        state = RegistryState()
        for n, (offset, command) in enumerate(self.log):
            assert state.digest() == self.digests[n]
            state, _ = fold(state, command, offset)
        assert state.digest() == self.digests[-1]
        for n in {0, len(self.log) // 3, 2 * len(self.log) // 3, len(self.log)}:
            self._goes_on_from_what_was_stored(n)

    def _goes_on_from_what_was_stored(self, n):
        state = decode_state(encode_state(self.states[n]))
        assert state == self.states[n]
        for at, (offset, command) in enumerate(self.log[n:], n + 1):
            state, _ = fold(state, command, offset)
            assert (state, state.digest()) == (self.states[at], self.digests[at])


def _on_the_wire(command: Command) -> bool:
    """Hostile names do not decode; the fold must stand them all the same."""
    try:
        msgspec.json.decode(msgspec.json.encode(command), type=type(command))
    except msgspec.ValidationError:
        return False
    return True


def _facts(state: RegistryState) -> dict:
    return {
        name: (model.project, model.versions, model.aliases, model.standings, model.recalibration) for name, model in state.models.items()
    }


def _aliases(state: RegistryState) -> dict:
    return {name: model.aliases for name, model in state.models.items()}


TestAnyLog = AnyLog.TestCase
TestAnyLog.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_replacing_map_has_the_newest_values_and_leaves_older_maps_as_they_were():
    kept, told = [ReplacingMap()], [{}]
    for n in range(200):
        kept.append(kept[-1].with_value(f"k{n * 7 % 40}", n))
        told.append(told[-1] | {f"k{n * 7 % 40}": n})

    assert [dict(one) for one in kept] == told
    assert len(kept[-1]) == 40
    assert kept[-1]["k0"] == told[-1]["k0"]
    assert "k40" not in kept[-1]


def test_layers_keep_order_and_every_older_value():
    kept = [PersistentMap()]
    for n in range(200):
        kept.append(kept[-1].added(f"k{n}", n))

    for n, layers in enumerate(kept):
        assert list(layers.values()) == list(range(n))
        assert list(layers.newest()) == list(range(n))[::-1]
        assert layers.get(f"k{n}") is None
        assert n == 0 or layers.get("k0") == 0
