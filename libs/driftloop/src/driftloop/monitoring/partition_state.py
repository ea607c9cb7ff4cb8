"""What one partition's fold knows, as the table value that a crash cannot tear: counts and offsets in one."""

from collections.abc import Mapping

import msgspec

from driftloop.contracts.values import Time, Window

FORMAT = 1
STATE_KEY = b"state"  # of the table value


class VersionCounts(msgspec.Struct):
    """One model version's rows in one window; histograms on the bins of the profile with that digest."""

    profile: str
    rows: int
    counts: dict[str, list[int]]


class WindowCounts(msgspec.Struct):
    """One window, open or lately closed. ``late_rows`` came after its closing and are in ``rows``."""

    window: Window
    rows: int = 0
    late_rows: int = 0
    versions: dict[int, VersionCounts] = {}


class PartitionState(msgspec.Struct):
    """The fold of all messages below ``next_offset`` of the topic incarnation ``topic_id``."""

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
    return msgspec.msgpack.decode(data, type=PartitionState)


def stored_offset(values: Mapping[bytes, bytes], topic_id: str) -> int | None:
    """The next offset of ``inferences`` in a partition's table values; None when none of this incarnation of the topic was stored."""
    value = values.get(STATE_KEY)
    state = None if value is None else decode_state(value)
    return None if state is None or state.topic_id != topic_id else state.next_offset
