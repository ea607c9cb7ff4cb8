"""What stands against removing a deleted version's bytes, and what is left of it afterwards."""

from datetime import timedelta

import msgspec
import pytest
from tests.unit.registry.commands import MODEL, delete, folded, move_alias, pins, promote, register_project, register_version

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.model_files import FILES, MANIFEST, model_key
from driftloop.contracts.codec import envelope
from driftloop.contracts.events import Event, TrainingFailed, TrainingStarted
from driftloop.history.model_history import ModelHistory
from driftloop.lineage.model_bytes import deleted_versions, remove, unfailed_runs
from driftloop.registry.versions import bytes_held

LATER = timedelta(hours=2)
# version 1 was champion, then version 2, then version 1 was given up
COMMANDS = (
    register_project(),
    register_version("r1"),
    promote("r1", epoch=0),
    register_version("r2"),
    move_alias(2, epoch=1, command_id="up"),
    delete(1),
)


def state(*more):
    return folded(*COMMANDS, *more)[0].model(MODEL)


def run(request_id: str, against: int | None) -> TrainingStarted:
    return TrainingStarted(model=MODEL, request_id=request_id, answers=(request_id,), pins=pins(1, against))


def unfailed(*events: Event) -> list[TrainingStarted]:
    history = ModelHistory()
    for n, event in enumerate(events):
        history.add(event, envelope(event, id=str(n), source="test", subject=MODEL))
    return unfailed_runs(history.runs())


@pytest.fixture
def store():
    filled = MemoryStore()
    for version in state().versions:
        for name in (*FILES, MANIFEST):
            filled.put(model_key(MODEL, version.manifest, name), b"bytes")
    return filled


def test_only_a_deleted_version_loses_its_bytes():
    assert bytes_held(state(), 1, []) is None
    assert bytes_held(state(), 2, []) == "version 2 is not deleted"
    assert bytes_held(state(), 9, []) == "version 9 is not deleted"


def test_a_version_that_came_after_the_deletion_holds_what_it_was_measured_against():
    reason = bytes_held(state(register_version("late", against=1)), 1, [])
    assert reason == "version 3 was pinned and measured while version 1 was champion, and cannot be rebuilt without it"


def test_a_run_under_way_holds_its_champion_until_it_has_failed_or_is_a_version():
    held = bytes_held(state(), 1, unfailed(run("late", 1)))
    assert held == "the run late was pinned while version 1 was champion, and has not become a version yet"
    failed = TrainingFailed(model=MODEL, request_id="late", answers=("late",), reason="no rows")
    assert bytes_held(state(), 1, unfailed(run("late", 1), failed)) is None
    assert bytes_held(state(), 1, unfailed(run("late", 2))) is None
    elsewhere = msgspec.structs.replace(failed, request_id="other", answers=("other", "late"))
    assert bytes_held(state(), 1, unfailed(run("late", 1), elsewhere)) is not None
    assert bytes_held(state(), 1, unfailed(run("late", 1), elsewhere, failed)) is None
    other = msgspec.structs.replace(run("late", 1), model="another")
    assert bytes_held(state(), 1, [other]) is None
    ended = state(register_version("late", against=1), delete(3, command_id="later"))
    assert bytes_held(ended, 1, [run("late", 1)]) is None


def test_the_model_file_goes_and_the_record_stays_and_the_profile_that_open_windows_may_need(store):
    model = state()
    before = model.standings[1].since + LATER
    found = deleted_versions(store, model, [], before=before)
    assert [(d.version, d.held, d.bytes) for d in found] == [(1, None, 5)]
    remove(store, found)
    left = {key.rpartition("/")[2] for key in (f.key for f in store.list(f"models/{MODEL}/{model.versions[0].manifest}/"))}
    assert left == {"manifest.json", "card.md", "lineage.json", "profile.json"}
    assert len(list(store.list(f"models/{MODEL}/{model.versions[1].manifest}/"))) == len(FILES) + 1
    assert deleted_versions(store, model, [], before=before) == []


def test_what_is_held_or_was_deleted_a_moment_ago_stays(store):
    model = state()
    fresh = deleted_versions(store, model, [], before=model.standings[1].since)
    held = deleted_versions(store, model, [run("late", 1)], before=model.standings[1].since + LATER)
    assert fresh[0].held is not None
    assert "deleted only at" in fresh[0].held
    assert held[0].held is not None
    remove(store, [*fresh, *held])
    assert len(list(store.list(f"models/{MODEL}/"))) == 2 * (len(FILES) + 1)
