"""The model on disk is replaced whole or not at all: a start after a crash or on a full disk finds one that works."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.unit.predictor.samples import store_sample_model
from tests.unit.predictor.test_model import PROJECT, Away, Log, follower

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.model_files import MODEL, model_key
from driftloop.service.project import remember_project, remembered_project
from driftloop_predictor.last_good import MODEL_FOLDER, PROJECT_FOLDER, KeptModel, KeptProject, LastGood


class DiskFull(Mapping[str, bytes]):
    """Objects that there is no room for, after the first."""

    def __iter__(self) -> Iterator[str]:
        return iter(("models/m/2/a", "models/m/2/b"))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, key: str) -> bytes:
        if key.endswith("b"):
            raise OSError(28, "No space left on device")
        return b"new"


def kept(version: int) -> KeptModel:
    return KeptModel(model="m", version=version, epoch=version, manifest=f"{version}" * 64)


def test_a_model_that_does_not_fit_on_the_disk_leaves_the_one_before(tmp_path: Path) -> None:
    folder = LastGood(tmp_path, KeptModel)
    folder.keep(kept(1), {"models/m/1/a": b"old", "models/m/1/b": b"old"})

    with pytest.raises(OSError, match="No space left"):
        folder.keep(kept(2), DiskFull())

    assert folder.pointer() == kept(1)
    assert folder.get("models/m/1/a") == folder.get("models/m/1/b") == b"old"


@pytest.mark.parametrize("name_first", [True, False])
def test_the_name_of_the_project_is_remembered_beside_the_copies(tmp_path: Path, *, name_first: bool) -> None:
    """All are in the folder of the instance; a new replica has the name before it has a copy."""
    project, model = LastGood(tmp_path / PROJECT_FOLDER, KeptProject), LastGood(tmp_path / MODEL_FOLDER, KeptModel)
    if name_first:
        remember_project(tmp_path, "alpha")
    project.keep(KeptProject(project="alpha", archive="0" * 64), {"projects/alpha/0.zip": b"archive"})
    model.keep(kept(1), {"models/m/1/a": b"model"})
    remember_project(tmp_path, "alpha")

    assert remembered_project(tmp_path) == "alpha"
    assert project.get("projects/alpha/0.zip") == b"archive"
    assert model.pointer() == kept(1)


def test_a_kept_model_in_whose_place_another_good_one_was_put_is_not_served(tmp_path: Path) -> None:
    """It would load and score; only its digest says that it is not the champion."""
    store = MemoryStore()
    manifests = [store_sample_model(store, PROJECT, seed) for seed in range(2)]
    follower(Log(manifests), store, tmp_path).catch_up()
    (own,) = [path for path in tmp_path.iterdir() if path.read_bytes() == store.get(model_key("m", manifests[0], MODEL))]
    own.write_bytes(store.get(model_key("m", manifests[1], MODEL)))

    later = follower(Log(manifests), Away(), tmp_path)
    later._take_kept()

    assert later.serving is None
    assert "kept-model-refused" in str(later.last_error)
