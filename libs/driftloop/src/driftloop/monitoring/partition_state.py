"""What one partition's fold knows, as table values: one for offsets and what else is small, one for each window's counts.

They are written together or not at all. Earlier releases had everything in one value, which is read and taken apart.
"""

from collections.abc import Mapping

import msgspec

from driftloop.contracts.topics import MIB
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Time, Window

FORMAT = 1
STATE_KEY = b"state"
WINDOW_KEYS = b"window/"
# In msgpack; in JSON, as they travel to those who put partitions together, counts take 2.2 times as much at most, and a message
# of ``window-sketches`` holds 8 MiB. 1,000 columns take about 70 KiB for each model version that has scored rows of the window.
MAX_WINDOW_BYTES = 7 * MIB // 2


class VersionCounts(msgspec.Struct):
    """One model version's rows in one window; histograms on the bins of the profile with that digest."""

    profile: str
    rows: int
    counts: dict[str, list[int]]


class WindowCounts(msgspec.Struct):
    """One window, open or lately closed. ``late_rows`` came after its closing and are in ``rows``. ``too_wide``: so
    many bytes were its versions' counts when they became too many to be stored; since then only rows are counted."""

    window: Window
    rows: int = 0
    late_rows: int = 0
    versions: dict[int, VersionCounts] = {}
    too_wide: int | msgspec.UnsetType = msgspec.UNSET

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)


class PartitionState(msgspec.Struct):
    """The fold of all messages below ``next_offset`` of the topic incarnation ``topic_id``. ``windows`` are stored apart."""

    topic_id: str
    format: int = FORMAT
    next_offset: int = 0
    requests: dict[str, int] = {}  # next request offset by request topic id
    watermark: Time | None = None
    closed_up_to: Time | None = None  # end of the last closed window
    windows: list[WindowCounts] = []
    begins_at: Time | None = None  # where the windows that the project declares now began, if it declared others before
    too_late_rows: int = 0  # for windows that are no longer kept, or for none, where windows of one plan end and those of another begin
    too_early_rows: int = 0  # for more windows than are kept

    def on_topic(self, topic_id: str, beginning: int) -> "PartitionState":
        """To go on from. On a topic that was made anew that is its ``beginning``; what was counted, closed and accounted for stays."""
        if topic_id == self.topic_id:
            return self
        return msgspec.structs.replace(self, topic_id=topic_id, next_offset=beginning)

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)


def decode_state(data: bytes) -> PartitionState:
    """Raises msgspec.MsgspecError."""
    return msgspec.msgpack.decode(data, type=prepared(PartitionState))


def window_key(window: Window) -> bytes:
    return WINDOW_KEYS + f"{window.start.isoformat()}/{window.end.isoformat()}".encode()


def stored_state(values: Mapping[bytes, bytes]) -> PartitionState | None:
    """Of a partition's table values, with its windows; None when nothing was stored. Raises msgspec.MsgspecError."""
    value = values.get(STATE_KEY)
    if value is None:
        return None
    apart = [msgspec.msgpack.decode(values[key], type=prepared(WindowCounts)) for key in sorted(values) if key.startswith(WINDOW_KEYS)]
    state = decode_state(value)
    return msgspec.structs.replace(state, windows=[*state.windows, *apart])


def stored_offset(values: Mapping[bytes, bytes], topic_id: str) -> int | None:
    """The next offset of ``inferences`` in a partition's table values; None when none of this incarnation of the topic was stored."""
    value = values.get(STATE_KEY)
    state = None if value is None else decode_state(value)
    return None if state is None or state.topic_id != topic_id else state.next_offset
