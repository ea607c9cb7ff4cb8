"""Which requests an inferences message accounts for: overlaps are trimmed, gaps are loud, and what cannot be is not believed."""

from collections.abc import Sequence

from driftloop.contracts.gaps import AcceptedGap, after_gaps
from driftloop.contracts.headers import RequestRange
from driftloop.errors import GapError, InvalidMessage
from driftloop.rows.inferences import MAX_OFFSETS


def accepted(
    claimed: RequestRange, cursor: int | None, *, beginning: int | None = None, gaps: Sequence[AcceptedGap] = ()
) -> tuple[int, int]:
    """The part ``[start, end)`` of the claimed request offsets that is new; empty when none is.

    ``cursor`` is the next request offset that the lake waits for, None before the first range: a predictor begins where
    the requests begin, at ``beginning`` or before it (None: not known). Raises GapError when the range starts later, for
    then rows between were never written, unless ``gaps`` say that they are given up: those are in the part.
    """
    waited_for = beginning if cursor is None else cursor
    if waited_for is None:
        return claimed.start, claimed.end
    if claimed.start > after_gaps(gaps, claimed.topic_id, claimed.partition, waited_for):
        first = "the first range is" if cursor is None else "the next range is"
        raise GapError(
            f"requests {waited_for} to {claimed.start - 1} of partition {claimed.partition} (topic {claimed.topic_id}) have no "
            f"inferences: {first} [{claimed.start}, {claimed.end})"
        )
    if cursor is None:
        return min(claimed.start, waited_for), claimed.end
    return cursor, max(cursor, claimed.end)


def is_wide(claimed: RequestRange) -> bool:
    """Whether a range spans more than a predictor accounts for at once: it is of an earlier release, or forged, and is believed
    only as far as the requests go (``check_end``). To ask the broker about every range would cost a call per message."""
    return claimed.end - claimed.start > MAX_OFFSETS


def check_end(claimed: RequestRange, end: int) -> None:
    """``end``: of the partition of ``requests``, at any time after the message was written. Raises InvalidMessage for a wide range
    that goes beyond: it would make all requests that are yet to come seem known."""
    if is_wide(claimed) and claimed.end > end:
        raise InvalidMessage(f"accounts for requests up to {claimed.end}, and there are none from {end} on")
