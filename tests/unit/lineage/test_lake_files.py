"""Which files a trace looks into, and how a snapshot's files are checked."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.registry.commands import digest

from driftloop.adapters.memory import MemoryStore
from driftloop.lake.snapshot import Content, PinnedFile, Snapshot
from driftloop.lake.split import SplitRule
from driftloop.lineage import pinned_files
from driftloop.lineage.lake_files import LiveFile, may_hold
from driftloop.lineage.pinned_files import check_files

AT = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def live(path: str, first: str | None, last: str | None, start: datetime | None = AT, end: datetime | None = AT + HOUR) -> LiveFile:
    return LiveFile(path, 1, 1, first, last, start, end, None, None, None)


def looked_into(event_id: str, time: datetime | None = None) -> list[str]:
    files = [live("a", "b", "d"), live("b", "d", "f", AT + HOUR, AT + 2 * HOUR), live("c", None, None, None, None)]
    return [file.path for file in may_hold(files, event_id, time)]


@pytest.mark.parametrize(
    ("event_id", "time", "files"),
    [
        ("c", None, ["a", "c"]),
        ("d", None, ["a", "b", "c"]),  # bounds belong to a file
        ("dz", None, ["b", "c"]),
        ("z", None, ["c"]),  # a file that others wrote says nothing, and is looked into
        ("d", AT, ["a", "c"]),
        ("d", AT + HOUR, ["a", "b", "c"]),
        ("d", AT - HOUR, ["c"]),
    ],
)
def test_a_file_whose_statistics_rule_the_event_out_is_not_read(event_id, time, files):
    assert looked_into(event_id, time) == files


@pytest.fixture
def pinned():
    store = MemoryStore()
    files = []
    for n in range(3):
        data = f"file {n}".encode()
        store.put(f"lake/s/labels/{n}", data)
        files.append(PinnedFile(table="labels", path=str(n), sha256=hashlib.sha256(data).hexdigest(), size=len(data), rows=1))
    content = Content(
        stream="s", start=None, end=AT, ranges=(), schema_fingerprint=digest("schema"), split=SplitRule(key="entity", salt="s")
    )
    return store, Snapshot(content=content, files=tuple(files), inferences_version=0, labels_version=0)


def test_every_file_is_hashed(pinned):
    store, snapshot = pinned
    found = check_files(store, snapshot)
    assert (found.hashed, found.wrong, found.files, found.bytes) == (True, (), 3, 18)
    store.put("lake/s/labels/1", b"file X")
    store.delete("lake/s/labels/2")
    changed, gone = check_files(store, snapshot).wrong
    assert changed.startswith("the bytes of lake/s/labels/1 are not the ones that were named: their sha256 is ")
    assert gone == "lake/s/labels/2 was pinned and is gone"


def test_of_too_many_files_the_sizes_are_compared_unless_asked_for_more(pinned, monkeypatch):
    store, snapshot = pinned
    monkeypatch.setattr(pinned_files, "MANY_FILES", 2)
    assert check_files(store, snapshot)[3:] == (False, ())
    store.put("lake/s/labels/0", b"file X")  # the same size: only its bytes tell
    store.put("lake/s/labels/1", b"longer than it was")
    store.delete("lake/s/labels/2")
    wrong = ("lake/s/labels/1 has 18 bytes instead of 6", "lake/s/labels/2 was pinned and is gone")
    assert check_files(store, snapshot).wrong == wrong
    assert len(check_files(store, snapshot, every_file=True).wrong) == 3
