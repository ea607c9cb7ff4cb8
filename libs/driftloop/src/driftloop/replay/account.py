"""What became of the rows that were sent: each in the lake exactly once, or told."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.values import Part
from driftloop.replay.stream import Stream

MAX_NAMED = 5


class Account(Part, frozen=True, kw_only=True):
    """Of one table: ``rows`` of the file, those that the lake holds ``once``, and the ids of the first few others."""

    table: str
    rows: int
    once: int
    missing: tuple[str, ...]
    repeated: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return self.rows == self.once

    def __str__(self) -> str:
        if self.ok:
            return f"{self.rows:,} {self.table} = {self.once:,} in the lake, each once"
        named = [f"missing: {', '.join(self.missing)}"] if self.missing else []
        named += [f"more than once: {', '.join(self.repeated)}"] if self.repeated else []
        return f"{self.rows:,} {self.table}, {self.once:,} in the lake once ({'; '.join(named)})"


def accounts(stream: Stream, requests: pa.ChunkedArray, labels: pa.ChunkedArray) -> tuple[Account, Account]:
    """``requests`` and ``labels``: event ids that the lake holds, as often as it does."""
    return _account("requests", stream.requests.column("event_id"), requests), _account("labels", stream.labels.column("event_id"), labels)


def _account(name: str, sent: pa.ChunkedArray, stored: pa.ChunkedArray) -> Account:
    ours = stored.filter(pc.is_in(stored, value_set=_plain(sent)))
    counts = pc.value_counts(_plain(ours))
    repeated = counts.filter(pc.greater(pc.struct_field(counts, "counts"), 1))
    missing = sent.filter(pc.invert(pc.is_in(sent, value_set=_plain(ours))))
    return Account(
        table=name,
        rows=len(sent),
        once=len(counts) - len(repeated),
        missing=_named(missing.to_pylist()[:MAX_NAMED]),
        repeated=_named(each["values"] for each in repeated[:MAX_NAMED].to_pylist()),
    )


def _named(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(each) for each in ids)


def _plain(ids: pa.ChunkedArray) -> pa.Array:
    found = ids.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
