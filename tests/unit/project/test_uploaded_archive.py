"""An archive that somebody asks to register is opened with suspicion: no larger than it may be, and nothing that unpacks to more."""

import hashlib
import io
import zipfile

import pytest
from tests.support.sample_project import sample_project

from driftloop.adapters.memory import MemoryStore
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import IntegrityError
from driftloop.project import archives
from driftloop.project.archives import uploaded_project
from driftloop.project.model import archive_key

SCHEMA = StreamSchema(stream="shop", features=(Feature(name="price", type="number"),), target=Target(name="late", type="boolean"))
PROJECT = sample_project(SCHEMA)


def uploaded(data: bytes) -> tuple[MemoryStore, str]:
    store, digest = MemoryStore(), hashlib.sha256(data).hexdigest()
    store.put(archive_key("shop", digest), data)
    return store, digest


def compressed() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in PROJECT.files.items():
            made.writestr(name, content)
        made.writestr("zeros", bytes(50_000_000))
    return out.getvalue()


def test_our_own_archive_is_opened() -> None:
    store, digest = uploaded(PROJECT.archive())
    assert uploaded_project(store, "shop", digest).name == PROJECT.name


def test_one_that_is_too_large_is_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    store, digest = uploaded(PROJECT.archive())
    fetched: list[str] = []
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 100)
    monkeypatch.setattr(store, "get", fetched.append)
    with pytest.raises(IntegrityError, match="expected at most 100"):
        uploaded_project(store, "shop", digest)
    assert fetched == []


def test_one_that_is_compressed_is_refused_before_it_is_unpacked() -> None:
    store, digest = uploaded(compressed())
    with pytest.raises(IntegrityError, match="its files are compressed"):
        uploaded_project(store, "shop", digest)


def test_one_of_other_bytes_than_it_is_named_by_is_refused() -> None:
    store, digest = uploaded(PROJECT.archive())
    store.put(archive_key("shop", digest), PROJECT.archive()[:-1] + b"x")
    with pytest.raises(IntegrityError):
        uploaded_project(store, "shop", digest)
