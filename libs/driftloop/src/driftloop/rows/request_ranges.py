"""Which requests an inferences message adds to what the lake has: overlaps are trimmed, gaps are loud."""

from driftloop.contracts.headers import RequestRange
from driftloop.errors import GapError


def accepted(claimed: RequestRange, cursor: int | None) -> tuple[int, int]:
    """The part ``[start, end)`` of the claimed request offsets that is new; empty when none is.

    ``cursor`` is the next request offset that the lake waits for, None before the first range: a predictor begins where
    the requests begin. Raises GapError when the range starts later, for then rows between were never written.
    """
    if cursor is None:
        return claimed.start, claimed.end
    if claimed.start > cursor:
        raise GapError(
            f"requests {cursor} to {claimed.start - 1} of partition {claimed.partition} (topic {claimed.topic_id}) have no inferences: "
            f"the next range is [{claimed.start}, {claimed.end})"
        )
    return cursor, max(cursor, claimed.end)
