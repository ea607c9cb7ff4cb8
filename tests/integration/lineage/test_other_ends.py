"""The same graph from its other ends: from a version forward to its predictions, from a file to who used it."""

import json

import pytest
from tests.integration.lineage.changed import Changed
from tests.integration.lineage.lineage_world import Commands, LineageWorld

from driftloop.artifact.model_files import MODEL, PROFILE, model_key
from driftloop.contracts.commands import DeleteVersion
from driftloop.errors import UserError
from driftloop.lake.snapshot import PinnedFile, load_snapshot
from driftloop.lineage.file_use import file_use
from driftloop.lineage.version_chain import version_chain


def pinned(world: LineageWorld, version: int) -> list[PinnedFile]:
    return sorted(load_snapshot(world.store, world.name, world.model().versions[version - 1].pins.snapshot).files, key=lambda f: f.path)


def test_a_version_is_shown_with_its_links_and_its_predictions(commands: Commands, world: LineageWorld) -> None:
    done = commands.run("models", "show", world.name, "1", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert next(link["link"] for link in found["links"]) == "model version"
    assert all(link["ok"] for link in found["links"])
    assert (found["version"]["version"], found["aliases"]) == (1, ["champion"])
    assert (found["predictions"]["rows"], found["predictions"]["files"]) == (300, 1)
    assert json.loads(commands.run("models", "show", world.name, "2", "--json").stdout)["predictions"]["rows"] == 0
    assert "✓" in commands.run("models", "show", world.name, "1").stdout


def test_a_version_with_a_damaged_file_is_shown_and_the_exit_code_says_so(commands: Commands, world: LineageWorld) -> None:
    with Changed(world.store, model_key(world.name, world.model().versions[0].manifest, PROFILE), b"{}"):
        done = commands.run("models", "show", world.name, "1")
    assert done.exit_code == 1
    assert done.stdout.count("✗") == 1
    assert commands.run("models", "show", world.name, "7").exit_code == 2


def test_a_file_leads_to_the_versions_and_predictions_that_used_it(commands: Commands, world: LineageWorld) -> None:
    first = next(file for file in pinned(world, 1) if file.table == "inferences")
    by_version = {}
    for file in (f for f in pinned(world, 2) if f.table == "inferences"):
        done = commands.run("datasets", "show", "--file", f"lake/{world.name}/inferences/{file.path}", "--json")
        assert done.exit_code == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["path"], found["sha256"], found["problem"]) == (file.path, file.sha256, None)
        by_version[file.path == first.path] = [(v["version"], v["predictions"]) for v in found["versions"]], found["holds"]
    assert by_version[True] == ([(1, 300), (2, 0)], {"None": 900})
    assert by_version[False] == ([(2, 0)], {"1": 300})
    assert "pinned by 2 snapshots" in commands.run("datasets", "show", "--file", f"lake/{world.name}/inferences/{first.path}").stdout


def test_a_file_is_also_known_by_its_path_and_by_the_beginning_of_its_digest(world: LineageWorld) -> None:
    file = pinned(world, 1)[0]
    for ref in (file.path, file.sha256, file.sha256[:8]):
        assert file_use(world.store, world.settings, [world.model()], ref).path == file.path
    with pytest.raises(UserError, match="no snapshot names"):
        file_use(world.store, world.settings, [world.model()], file.sha256[:7])


@pytest.mark.parametrize("data", [b"other", None])
def test_a_file_that_was_changed_or_is_gone_is_said(commands: Commands, world: LineageWorld, data: bytes | None) -> None:
    file = next(file for file in pinned(world, 1) if file.table == "labels")
    with Changed(world.store, f"lake/{world.name}/labels/{file.path}", data):
        done = commands.run("datasets", "show", "--file", f"lake/{world.name}/labels/{file.path}", "--json")
    assert done.exit_code == 1
    assert f" lake/{world.name}/labels/{file.path} " in f" {json.loads(done.stdout)['problem']}"


@pytest.mark.parametrize("ref", ["../../projects", "0/0-nothing.parquet", "abcdef0", "/etc/passwd", "x" * 10_000])
def test_what_is_no_file_of_a_snapshot_is_one_line(commands: Commands, ref: str) -> None:
    done = commands.run("datasets", "show", "--file", ref)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "no snapshot names" in done.stderr


def test_the_bytes_of_a_deleted_version_go_and_a_trace_still_leads_on(commands: Commands, world: LineageWorld) -> None:
    model = world.train(champion=False)
    number = len(model.versions)
    world.command(DeleteVersion, model=world.name, version=number)
    keys = [model_key(world.name, model.versions[-1].manifest, name) for name in (MODEL,)]
    held = json.loads(commands.run("models", "clean", world.name, "--json").stdout)["versions"]
    assert [(v["version"], v["keys"]) for v in held] == [(number, keys)]
    assert "deleted only at" in held[0]["held"]
    would = commands.run("models", "clean", world.name, "--grace", "0s", "--dry-run")
    assert "would be removed" in would.stdout
    assert all(world.store.stat(key).size for key in keys)
    done = commands.run("models", "clean", world.name, "--grace", "0s")
    assert done.exit_code == 0, done.stderr
    assert commands.run("models", "clean", world.name, "--grace", "soon").exit_code == 2
    broken = [link for link in version_chain(world.store, world.model(), world.model().versions[-1]) if not link.ok]
    assert [link.link for link in broken] == ["model version"]
    assert str(broken[0].reason).startswith("it was deleted by test: test; ")
    assert commands.run("models", "reproduce", world.name, str(number)).exit_code == 2
