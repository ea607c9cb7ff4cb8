"""Files of the archive: entries to the letter, the same bytes for the same entries, one read without the others."""

import io
import json
import zipfile
from contextlib import contextmanager

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop.errors import IntegrityError, ObjectNotFound
from driftloop.lake.archived_log import BLOCK, ArchivedLog, archive_path, block_of, packed


class Files:
    """A table's files in memory, as ``filesystem.TableFiles`` gives them."""

    def __init__(self, **files):
        self.files, self.opened = files, 0

    @contextmanager
    def open(self, path):
        if path not in self.files:
            raise ObjectNotFound(path)
        self.opened += 1
        yield pa.PythonFile(io.BytesIO(self.files[path]), mode="r")


def entry(version, size=20):
    lines = [{"commitInfo": {"n": version}}, {"add": {"path": "x" * size}}]
    return b"\n".join(json.dumps(line).encode() for line in lines)


def archive(first, entries, metadata=None):
    return Files(**{archive_path(first): packed(first, entries, metadata)})


@settings(deadline=None)
@given(st.sets(st.integers(2 * BLOCK, 3 * BLOCK - 1), max_size=30), st.sampled_from([10, 50_000]))
def test_every_entry_comes_back_to_the_letter_and_none_that_was_not_there(versions, size):
    found = ArchivedLog(archive(2 * BLOCK, [(v, entry(v, size)) for v in sorted(versions)]))
    for version in range(2 * BLOCK, 2 * BLOCK + 40):
        if version in versions:
            assert found.entry(version) == entry(version, size)
        else:
            with pytest.raises(ObjectNotFound):
                found.entry(version)


def test_entries_near_each_other_are_read_once():
    files = archive(0, [(v, entry(v)) for v in range(100)])
    found = ArchivedLog(files)
    assert [found.entry(v) for v in range(100)] == [entry(v) for v in range(100)]
    assert files.opened == 1


def test_the_same_entries_give_the_same_bytes():
    entries = [(v, entry(v)) for v in range(10)]
    assert packed(0, iter(entries), None) == packed(0, iter(entries), None)


def test_a_file_says_the_metadata_after_its_last_entry():
    changed = json.dumps({"metaData": {"id": "new"}}).encode() + b"\n" + entry(3)
    assert ArchivedLog(archive(0, [(2, entry(2)), (3, changed), (4, entry(4))], {"id": "old"})).metadata_after(0) == {"id": "new"}
    assert ArchivedLog(archive(0, [(2, entry(2))], {"id": "old"})).metadata_after(0) == {"id": "old"}


def test_people_read_it_with_any_zip_program():
    ((path, data),) = archive(BLOCK, [(BLOCK + 7, entry(7))]).files.items()
    assert (block_of(BLOCK + 7), path) == (BLOCK, "_upkeep/log/00000000000000001000-00000000000000001999.zip")
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert json.loads(file.read(file.namelist()[0]))["version"] == BLOCK + 7


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda data: b"x" * 80 + data[80:]])
def test_a_damaged_file_is_said_to_be_one(damage):
    ((path, data),) = archive(0, [(v, entry(v, 500)) for v in range(50)]).files.items()
    with pytest.raises(IntegrityError, match="is damaged"):
        ArchivedLog(Files(**{path: damage(data)})).entry(3)
