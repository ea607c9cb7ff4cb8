"""Following the champion: epochs only rise, a bad model changes nothing, the last good one is on disk."""

import time
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.predictor.samples import START, sample_pins, sample_project, store_sample_model

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.model_files import MODEL, model_key
from driftloop.errors import IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.project.model import Project, archive_key
from driftloop.project.reading import parse_project
from driftloop.registry.fold import Alias, ModelState, ModelVersion, RegistryState
from driftloop.service.process import Stop
from driftloop_predictor import model as model_module
from driftloop_predictor.last_good import KEYS, KeptModel, LastGood
from driftloop_predictor.model import ModelFollower

PROJECT = sample_project("m")


class Log:
    """A registry reader whose champion a test moves."""

    def __init__(self, manifests: list[str]) -> None:
        self._versions = tuple(
            ModelVersion(model="m", version=n, request_id=f"r{n}", manifest=digest, pins=sample_pins(), registered_at=START)
            for n, digest in enumerate(manifests, 1)
        )
        self.champion(1, epoch=1)

    def champion(self, version: int, epoch: int) -> None:
        alias = Alias(name="champion", version=version, epoch=epoch, since=START)
        self._state = RegistryState(models={"m": ModelState(model="m", versions=self._versions, aliases={"champion": alias})})

    def state(self) -> RegistryState:
        return self._state

    def wait_for(self, offset: int, timeout_seconds: float) -> RegistryState:
        return self._state


class Away(MemoryStore):
    def get(self, key: str) -> bytes:
        raise TransientError("store away")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def manifests(store: MemoryStore) -> list[str]:
    return [store_sample_model(store, PROJECT, seed) for seed in range(2)]


def follower(log: Log, store: MemoryStore, folder: Path) -> ModelFollower:
    return ModelFollower(PROJECT, reader=log, store=store, last_good=LastGood(folder, KeptModel))


def test_the_champion_is_taken_up_and_a_rollback_too(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    log = Log(manifests)
    model = follower(log, store, tmp_path)
    seen = []
    for version, epoch in ((1, 1), (2, 2), (1, 3)):
        log.champion(version, epoch)
        model.catch_up()
        assert model.serving is not None
        seen.append((model.serving.version, model.serving.epoch, model.serving.digest))
    assert seen == [(1, 1, manifests[0]), (2, 2, manifests[1]), (1, 3, manifests[0])]
    assert model.up_to_date


def test_a_lower_epoch_is_never_taken_up_also_not_after_a_restart(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    log = Log(manifests)
    log.champion(2, epoch=5)
    model = follower(log, store, tmp_path)
    model.catch_up()
    log.champion(1, epoch=4)
    for one in (model, follower(log, store, tmp_path)):
        one._take_kept()
        one.catch_up()
        assert one.serving is not None
        assert (one.serving.version, one.serving.epoch) == (2, 5)
        assert "epoch 4" in (one.last_error or "")


def test_a_bad_model_is_refused_once_and_the_last_good_one_serves_on(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    log = Log(manifests)
    model = follower(log, store, tmp_path)
    model.catch_up()
    store.put(model_key("m", manifests[1], MODEL), b"other bytes")
    log.champion(2, epoch=2)
    with pytest.raises(IntegrityError):
        model.catch_up()
    model.catch_up()  # not tried again at every record of the log
    assert model.serving is not None
    assert model.serving.version == 1
    assert not model.up_to_date


def test_a_start_without_a_store_serves_the_model_on_disk(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    follower(Log(manifests), store, tmp_path).catch_up()
    later = follower(Log(manifests), Away(), tmp_path)
    later._take_kept()
    later.catch_up()
    assert later.serving is not None
    assert (later.serving.version, later.serving.epoch, later.serving.digest) == (1, 1, manifests[0])


def test_a_store_that_is_away_changes_nothing_and_is_asked_again(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    log = Log(manifests)
    model = follower(log, Away(), tmp_path)
    for _ in range(2):
        with pytest.raises(TransientError):
            model.catch_up()
    assert model.serving is None


def test_a_damaged_copy_on_disk_is_not_served(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    follower(Log(manifests), store, tmp_path).catch_up()
    for path in tmp_path.iterdir():
        if path.name != "last-good.json":
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    later = follower(Log(manifests), Away(), tmp_path)
    later._take_kept()
    assert later.serving is None


def test_what_is_kept_is_replaced_together(tmp_path: Path) -> None:
    kept = LastGood(tmp_path / "new", KeptModel)
    assert kept.pointer() is None
    for epoch in (1, 2):
        pointer = KeptModel(model="m", version=epoch, epoch=epoch, manifest=str(epoch) * 64)
        kept.keep(pointer, {f"models/{epoch}": b"bytes"})
        assert kept.pointer() == pointer
        assert kept.get(f"models/{epoch}") == b"bytes"
    with pytest.raises(ObjectNotFound):
        kept.get("models/1")
    (tmp_path / "new" / "last-good.json").write_bytes(b"{")
    assert kept.pointer() is None


def test_a_start_waits_for_a_champion_that_can_be_loaded(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    model = follower(Log(manifests), store, tmp_path).start()
    model.wait_for_first(Stop(), timeout_seconds=PATIENCE_SECONDS)
    assert model.serving is not None
    model.stop()


def test_a_start_does_not_wait_for_a_champion_that_is_refused_nor_for_one_that_is_not_there(store: MemoryStore, tmp_path: Path) -> None:
    refused, none = follower(Log(["0" * 64]), store, tmp_path / "a"), follower(Log([]), store, tmp_path / "b")
    with pytest.raises(ObjectNotFound):
        refused.catch_up()
    for model in (refused, none):
        began = time.monotonic()
        model.wait_for_first(Stop(), timeout_seconds=PATIENCE_SECONDS)
        assert model.serving is None
        assert time.monotonic() - began < PATIENCE_SECONDS


def test_a_start_goes_on_without_a_model_at_a_stop_or_when_the_store_is_away_for_long(manifests: list[str], tmp_path: Path) -> None:
    model, stop = follower(Log(manifests), Away(), tmp_path), Stop()
    model.wait_for_first(stop, timeout_seconds=0.1)
    stop.request()
    model.wait_for_first(stop, timeout_seconds=PATIENCE_SECONDS)
    assert model.serving is None


@pytest.mark.parametrize(
    "error",
    [
        UserError("archive/driftloop.toml:3: unknown section"),  # a project of an earlier release
        zipfile.BadZipFile("no zip"),
        RuntimeError("a fault of ours"),
        AssertionError("in a library"),
        TransientError("store away"),
    ],
)
def test_whatever_loading_a_champion_raises_the_next_one_is_taken_up(
    store: MemoryStore, manifests: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    log = Log(manifests)
    model = follower(log, store, tmp_path).start()
    try:
        wait_until(lambda: model.serving is not None, "the first champion")
        good = model_module.load_model

        def bad(*arguments: Any, **more: Any) -> Any:
            raise error

        monkeypatch.setattr(model_module, "load_model", bad)
        log.champion(2, epoch=2)
        model.on_state(log.state())
        wait_until(lambda: str(error) in (model.last_error or ""), "the failure to show")
        assert model.serving is not None
        assert model.serving.version == 1
        monkeypatch.setattr(model_module, "load_model", good)
        log.champion(1, epoch=3)  # whose files are in memory, and another version than the one that failed
        model.on_state(log.state())
        wait_until(lambda: model.serving is not None and model.serving.epoch == 3, "the next champion")
    finally:
        model.stop()


@pytest.mark.parametrize("error", [UserError("unknown section"), zipfile.BadZipFile("no zip"), RuntimeError("a fault of ours")])
def test_kept_model_that_cannot_be_read_does_not_keep_a_predictor_from_starting(
    store: MemoryStore, manifests: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    log = Log(manifests)
    follower(log, store, tmp_path).catch_up()  # and keeps it
    good, calls = model_module.load_model, []

    def once_bad(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise error
        return good(*arguments, **more)

    monkeypatch.setattr(model_module, "load_model", once_bad)
    model = follower(log, store, tmp_path).start()
    try:
        wait_until(lambda: model.serving is not None, "the champion from the store")
    finally:
        model.stop()


def renamed(store: MemoryStore) -> tuple[Project, str]:
    """A project that had another name, and one feature less, when its version was trained."""
    config = PROJECT.files["driftloop.toml"].decode()
    before = parse_project(PROJECT.files | {"driftloop.toml": config.replace('name = "m"', 'name = "former"', 1).encode()}, "sample")
    grown = config.replace("[target]", 'more = { type = "number", required = false }\n\n[target]')
    now = parse_project(PROJECT.files | {"driftloop.toml": grown.encode()}, "sample")
    for project in (before, now):
        store.put(archive_key(project.name, project.digest()), project.archive())
    return now, store_sample_model(store, before, pins=msgspec.structs.replace(sample_pins(), project=before.digest()))


def test_a_renamed_projects_champion_of_an_earlier_schema_is_taken_up_and_kept(tmp_path: Path) -> None:
    store = MemoryStore()
    project, manifest = renamed(store)
    fresh = ModelFollower(project, reader=Log([manifest]), store=store, last_good=LastGood(tmp_path, KeptModel))
    fresh.catch_up()
    assert fresh.serving is not None
    alone = ModelFollower(project, reader=Log([manifest]), store=Away(), last_good=LastGood(tmp_path, KeptModel))
    alone._take_kept()
    assert alone.serving is not None
    assert alone.serving.digest == manifest


def test_what_an_earlier_program_kept_serves_without_a_list_of_its_keys(store: MemoryStore, manifests: list[str], tmp_path: Path) -> None:
    follower(Log(manifests), store, tmp_path).catch_up()
    (tmp_path / KEYS).unlink()
    model = follower(Log(manifests), Away(), tmp_path)
    model._take_kept()
    assert model.serving is not None
