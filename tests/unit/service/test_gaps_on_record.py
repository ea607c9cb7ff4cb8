"""A record of what is missing that cannot be read stops no service that looks for its own."""

from driftloop.adapters.memory import MemoryStore
from driftloop.contracts.gaps import gaps_prefix
from driftloop.errors import ObjectNotFound
from driftloop.service.accepted_gaps import AcceptedGaps


class Removing(MemoryStore):
    """A record is removed between the listing and the look."""

    def get(self, key: str) -> bytes:
        raise ObjectNotFound(key)


def test_what_is_no_record_or_was_removed_since_it_was_listed_is_passed_over() -> None:
    for store in (MemoryStore(), Removing()):
        for n, value in enumerate((b"{", b"\xff", b"[" * 200_000, b'{"a": ' * 100_000)):
            store.put(f"{gaps_prefix('s')}{n}.json", value)
        assert list(AcceptedGaps(store, "s").all()) == []
