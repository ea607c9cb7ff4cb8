"""What people have put on record as missing, as a service asks that meets a gap: the record is its permission to go on."""

from collections.abc import Sequence

import msgspec

from driftloop.contracts.gaps import AcceptedGap, after_gaps, gaps_prefix
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import StreamName
from driftloop.errors import ObjectNotFound
from driftloop.stored import ObjectLister
from driftloop.telemetry import get_logger

WAY_ON = "see `driftloop lake accept-gap --help` for the way on"

log = get_logger(__name__)


class AcceptedGaps:
    """Of one stream. Asked at a gap and not before: where nothing is missing, no store is needed. Raises TransientError."""

    def __init__(self, store: ObjectLister, stream: StreamName) -> None:
        self._store, self._stream = store, stream

    def all(self) -> Sequence[AcceptedGap]:
        """Every gap on record, of all three data topics; an object that is none is passed over."""
        decoded = (self._decoded(found.key) for found in self._store.list(gaps_prefix(self._stream)))
        return [gap for gap in decoded if gap is not None]

    def after(self, topic_id: str, partition: int, offset: int) -> int:
        """Where a reader that waits for ``offset`` may go on; ``offset`` itself when nobody has given it up."""
        return after_gaps(self.all(), topic_id, partition, offset)

    def _decoded(self, key: str) -> AcceptedGap | None:
        try:
            return msgspec.json.decode(self._store.get(key), type=prepared(AcceptedGap))
        except (
            msgspec.MsgspecError,
            UnicodeDecodeError,
            RecursionError,
            ObjectNotFound,
        ) as exc:  # removed since, or no record
            log.warning("gap-not-readable", key=key, reason=str(exc))
            return None
