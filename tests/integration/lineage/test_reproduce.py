"""Versions made again from their pins, on the real store; what a kill or a tampered file does to that."""

import json
import signal

import pytest
from tests.integration.lineage.changed import Changed
from tests.integration.lineage.lineage_world import Commands, LineageWorld
from tests.integration.trainer.harness import processes_of
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import read_topic
from driftloop.artifact.model_files import MODEL, model_key
from driftloop.contracts.codec import decode_event
from driftloop.contracts.topics import REPRODUCTIONS
from driftloop.lake.manifests import snapshot_key
from driftloop.lake.snapshot import load_snapshot


def stored(world: LineageWorld) -> dict[str, int]:
    return {found.key: found.size for prefix in ("models", "snapshots", "lake") for found in world.store.list(f"{prefix}/{world.name}/")}


@pytest.mark.parametrize(("version", "more", "comparison"), [(1, (), "none"), (2, (), "recorded"), (2, ("--compare-again",), "repeated")])
def test_a_version_is_rebuilt_byte_for_byte(commands: Commands, world: LineageWorld, version, more, comparison) -> None:
    before = stored(world)
    done = commands.run("models", "reproduce", world.name, str(version), "--json", "--at-least", "bytes", *more)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["level"], found["comparison"], found["differences"]) == ("bytes", comparison, [])
    assert found["rebuilt_manifest"] == found["manifest"] == world.model().versions[version - 1].manifest
    assert set(found["files"]) == {"model.skops", "profile.json", "card.md", "lineage.json"}
    assert "refitted" in done.stderr
    assert stored(world) == before


def test_a_file_of_the_snapshot_that_was_changed_or_is_gone_is_named(commands: Commands, world: LineageWorld) -> None:
    pins = world.model().versions[0].pins
    file = load_snapshot(world.store, world.name, pins.snapshot).files[0]
    key = f"lake/{world.name}/{file.table}/{file.path}"
    for data, said in ((b"other bytes", f"the bytes of {key} are not the ones that were named"), (None, f"{key} was pinned and is gone")):
        with Changed(world.store, key, data):
            done = commands.run("models", "reproduce", world.name, "1")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.splitlines()[-1].startswith(f"error: {said}")


def test_what_is_missing_of_a_version_is_said(commands: Commands, world: LineageWorld) -> None:
    version = world.model().versions[0]
    archive = f"projects/{world.project.name}/{version.pins.project}.zip"
    model = model_key(world.name, version.manifest, MODEL)
    for key, data, said in (
        (snapshot_key(world.name, version.pins.snapshot), None, "snapshots/"),
        (archive, None, "the project archive"),
        (archive, b"PK", "are not the ones that were named"),
        (model, b"PK", "are not the ones that were named"),
        (model, None, "model.skops is missing"),
    ):
        with Changed(world.store, key, data):
            done = commands.run("models", "reproduce", world.name, "1")
        assert (done.exit_code, done.stdout) == (1, "")
        assert said in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("9",), "has no version 9: it has versions 1 to "),
        ((), "give either a VERSION or --audit N"),
        (("1", "--audit", "2"), "give either a VERSION or --audit N"),
        (("--audit", "1", "--audit-id", "\n"), "printable characters"),
    ],
)
def test_what_cannot_be_asked_is_one_line(commands: Commands, world: LineageWorld, arguments, said) -> None:
    done = commands.run("models", "reproduce", world.name, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_hostile_name_reaches_nothing(commands: Commands) -> None:
    for name in ("../../models", "a/b", "%252e%252e", "x" * 10_000):
        done = commands.run("models", "reproduce", name, "1")
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
        assert "is no name" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_reproduction_that_is_ended_in_mid_fit_leaves_nothing_that_matters(commands: Commands, world: LineageWorld, number) -> None:
    before, folder = stored(world), commands.home / "reproduce"
    world.hold.touch()
    process = commands.start("models", "reproduce", world.name, "1")
    try:
        wait_until(lambda: processes_of(folder), "the training process")
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        world.hold.unlink()
    wait_until(lambda: not processes_of(folder), "the training process to end with its parent")
    assert stored(world) == before
    if number != signal.SIGKILL:
        assert (process.returncode, said.splitlines()[-1]) == (130, "stopped")
        assert [path.name for path in folder.iterdir()] == ["lock"]
        return
    assert [path for path in folder.iterdir() if path.is_dir()]  # else the sweep below has nothing to do
    again = commands.run("models", "reproduce", world.name, "1", "--at-least", "bytes")
    assert again.exit_code == 0, again.stderr
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_an_audit_that_was_killed_goes_on_and_records_each_version_once(commands: Commands, world: LineageWorld) -> None:
    audit = ("models", "reproduce", world.name, "--audit", "5", "--audit-id", f"nightly-{world.name}", "--json")
    killed = commands.start(*audit, DRIFTLOOP_CRASH_POINT="audit.before-event:2")
    killed.communicate(timeout=PATIENCE_SECONDS)
    assert killed.returncode == -signal.SIGKILL
    assert len(recorded(world)) == 1
    with Changed(world.store, model_key(world.name, world.model().versions[1].manifest, MODEL), b"PK"):
        done = commands.run(*audit)
    assert done.exit_code == 1  # version 2 cannot be rebuilt: that is what an audit is for
    assert [(v["version"], v["level"]) for v in json.loads(done.stdout)["versions"]] == [(1, "bytes"), (2, "none")]
    assert commands.run(*audit).exit_code == 1
    events = recorded(world)
    assert [(e.version, e.level) for e in events] == [(1, "bytes"), (2, "none")]
    assert "are not the ones that were named" in events[1].reason


def recorded(world: LineageWorld):
    """What audits have recorded about this model, repeats included."""
    found = [decode_event(r.value, r.headers)[0] for r in read_topic(world.bootstrap, REPRODUCTIONS)]
    return sorted((e for e in found if e.model == world.name), key=lambda e: e.version)
