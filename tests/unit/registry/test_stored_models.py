"""What the registry reads of the store before it lets a version be served."""

import hashlib
import json

import pytest
from tests.unit.registry.commands import MODEL

from driftloop.adapters.memory import MemoryStore
from driftloop_registry import stored_models
from driftloop_registry.stored_models import problem_with_model


class Watched(MemoryStore):
    """Remembers what was fetched, and in pieces of which size."""

    def __init__(self):
        super().__init__()
        self.fetched, self.pieces = [], []

    def get(self, key):
        self.fetched.append(key.rpartition("/")[2])
        return super().get(key)

    def chunks(self, key, size):
        for piece in super().chunks(key, size):
            self.pieces.append(len(piece))
            yield piece


@pytest.fixture
def store():
    return Watched()


def stored(store, files, sizes=None):
    """A manifest that names these files, and their bytes; the manifest's digest."""
    named = {name: {"sha256": hashlib.sha256(data).hexdigest(), "size": (sizes or {}).get(name, len(data))} for name, data in files.items()}
    manifest = json.dumps({"model": MODEL, "request_id": "r1", "files": named}).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    for name, data in {**files, "manifest.json": manifest}.items():
        store.put(f"models/{MODEL}/{digest}/{name}", data)
    return digest


def test_files_are_hashed_in_pieces(store):
    manifest = stored(store, {"model.skops": bytes(3 * stored_models.PIECE_BYTES + 7), "card.md": b"card"})

    assert problem_with_model(store, MODEL, "r1", manifest) is None
    assert max(store.pieces) <= stored_models.PIECE_BYTES
    assert store.fetched.count("model.skops") == 1  # the fake's own, to be cut into pieces


def test_nothing_is_fetched_of_a_file_of_another_size(store):
    manifest = stored(store, {"card.md": b"card", "model.skops": b"x" * 1000}, sizes={"model.skops": 999})

    assert "has 1000 bytes, expected 999" in problem_with_model(store, MODEL, "r1", manifest)
    assert store.fetched == ["manifest.json"]


def test_manifest_that_is_too_large_is_not_fetched(store, monkeypatch):
    monkeypatch.setattr(stored_models, "MAX_MANIFEST_BYTES", 10)
    manifest = stored(store, {"card.md": b"card"})

    assert "expected at most 10" in problem_with_model(store, MODEL, "r1", manifest)
    assert store.fetched == []


def test_file_that_no_model_needs_to_be_as_large_as_is_refused_by_its_size(store, monkeypatch):
    monkeypatch.setattr(stored_models, "MAX_FILE_BYTES", 500)
    manifest = stored(store, {"model.skops": b"x" * 1000})

    assert "has 1000 bytes, expected at most 500" in problem_with_model(store, MODEL, "r1", manifest)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda store, folder: store.put(f"{folder}/model.skops", b"Model"), "are not the ones that were named"),
        (lambda store, folder: store.delete(f"{folder}/model.skops"), "holds no"),
        (lambda store, folder: store.put(f"{folder}/manifest.json", b"{}"), "are not the ones that were named"),
    ],
)
def test_what_is_not_as_it_was_named_is_a_problem(store, change, words):
    manifest = stored(store, {"model.skops": b"model"})
    change(store, f"models/{MODEL}/{manifest}")

    assert words in problem_with_model(store, MODEL, "r1", manifest)


@pytest.mark.parametrize("name", ["../x", "model", "a/b.c", ".probe", "A.b"])
def test_name_that_leads_out_of_the_folder_is_a_problem(store, name):
    assert "names a file" in problem_with_model(store, MODEL, "r1", stored(store, {name: b"x"}))
