"""Offsets that a person has given up: the third fate of a row, beside the lake and quarantine.

A service that meets unread messages that have expired, or requests without inferences, stops: rows are missing. The record
here says which, why, and who takes it upon themselves; every service takes it as permission to go on after them.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from driftloop.contracts.values import OffsetRange, StreamName, Time

MAX_WORDS = 1000  # characters of a reason
LOST_END = "the topic has lost its end"  # as a broker's disk may in a power cut: nothing that anybody could give up


class AcceptedGap(OffsetRange, frozen=True, kw_only=True):
    """Offsets ``[start, end)`` of a data topic that are missing for good. ``at``: wall time of whoever accepted it."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_WORDS)]
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    at: Time


def after_gaps(gaps: Iterable[AcceptedGap], topic_id: str, partition: int, offset: int) -> int:
    """Where a reader that waits for ``offset`` may go on: after the accepted gaps that begin at or before it, one joining the other."""
    here = sorted((g.start, g.end) for g in gaps if g.topic_id == topic_id and g.partition == partition)
    for start, end in here:
        if start > offset:
            break
        offset = max(offset, end)
    return offset


def gaps_prefix(stream: StreamName) -> str:
    """Where the records of one stream lie in the store, for those who do not read the lake."""
    return f"gaps/{stream}/"


def gap_key(stream: StreamName, gap: AcceptedGap) -> str:
    """One object for each record. The offsets are padded, so that a listing is in order."""
    return f"{gaps_prefix(stream)}{gap.topic_id}/{gap.partition}/{gap.start:020d}-{gap.end:020d}.json"
