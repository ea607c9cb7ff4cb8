"""A snapshot is found by the beginning of its digest."""

import pytest

from driftloop.adapters.memory import MemoryStore
from driftloop.datasets.snapshots import find_snapshot
from driftloop.errors import UserError
from driftloop.lake.manifests import snapshot_key


@pytest.fixture
def store():
    store = MemoryStore()
    for stream, digest in (("flights", "ab" * 32), ("trains", "ac" * 32)):
        store.put(snapshot_key(stream, digest), b"{}")
    return store


def test_the_beginning_of_a_digest_names_its_snapshot(store):
    assert find_snapshot(store, "ac") == ("trains", "ac" * 32)


@pytest.mark.parametrize(("prefix", "count"), [("a", 2), ("ff", 0)])
def test_a_beginning_that_fits_none_or_several_is_the_users_to_put_right(store, prefix, count):
    with pytest.raises(UserError, match=f"^{count} snapshots"):
        find_snapshot(store, prefix)


@pytest.mark.parametrize("prefix", ["", "../..", "AB", "a\n", "0" * 65, "snapshots/flights"])
def test_what_is_no_digest_reaches_no_key(prefix):
    with pytest.raises(UserError, match="not the beginning of a digest"):
        find_snapshot(MemoryStore(), prefix)
