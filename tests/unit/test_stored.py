"""Stored bytes are compared with the sha256 that names them in one place, and archives of projects fetched in one."""

import hashlib
import re

import pytest
from tests.architecture.compose_file import REPOSITORY

from driftloop.adapters.memory import MemoryStore
from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.stored import read_verified

DATA = b"some bytes"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.put("a/key", DATA)
    return store


def test_the_bytes_that_were_named_are_read(store: MemoryStore) -> None:
    assert read_verified(store, "a/key", SHA256) == read_verified(store, "a/key", SHA256, len(DATA)) == DATA


@pytest.mark.parametrize(("size", "said"), [(None, "their sha256 is [0-9a-f]{64}"), (len(DATA), "there are 11 instead of 10")])
def test_other_bytes_are_refused_and_the_key_is_named(store: MemoryStore, size: int | None, said: str) -> None:
    store.put("a/key", DATA + b"!")
    with pytest.raises(IntegrityError, match=f"the bytes of a/key are not the ones that were named: {said}"):
        read_verified(store, "a/key", SHA256, size)


def test_bytes_of_the_same_size_are_not_believed(store: MemoryStore) -> None:
    store.put("a/key", DATA[::-1])
    with pytest.raises(IntegrityError, match="their sha256"):
        read_verified(store, "a/key", SHA256, len(DATA))


def test_what_is_missing_is_not_found(store: MemoryStore) -> None:
    with pytest.raises(ObjectNotFound):
        read_verified(store, "another/key", SHA256)


SOURCES = [file for root in ("libs", "services") for file in sorted((REPOSITORY / root).glob("*/src/**/*.py"))]


def naming(pattern: str) -> set[str]:
    """Files in which the pattern stands."""
    return {file.name for file in SOURCES if re.search(pattern, file.read_text(encoding="utf-8"))}


def test_no_other_module_compares_a_sha256() -> None:
    assert len(SOURCES) > 200
    assert naming(r"(?:hexdigest\(\)|sha256_of\([^()]*\)) *[!=]=|[!=]= *(?:hashlib\.sha256|sha256_of)") == set()
    assert naming(r"\bfound == sha256\b") == {"stored.py"}


def test_no_other_module_opens_an_archive_from_the_store() -> None:
    defined, of_the_local_disk = "reading.py", {"run_job.py", "worker.py"}  # processes that fit are given their project in a file
    assert naming(r"\bopen_archive\(") == {"archives.py", defined, *of_the_local_disk}
