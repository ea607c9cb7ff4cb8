"""Which requests an inferences message accounts for: overlaps are trimmed, gaps are loud, and what cannot be is not believed."""

from collections.abc import Sequence

from driftloop.contracts.gaps import AcceptedGap, after_gaps
from driftloop.contracts.headers import RequestRange
from driftloop.errors import GapError, InvalidMessage
from driftloop.ports import TopicEnds

NO_REQUESTS = TopicEnds("", {})  # no range is of these: what is known before anybody has asked, or of a topic that is not there


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


def is_within(claimed: RequestRange, known: TopicEnds) -> bool:
    """Whether the requests of the range are known to be there; then ``check_end`` need not be asked. Only the end matters: what a log
    has reached it does not take back, and what retention has removed was there."""
    return claimed.topic_id == known.topic_id and claimed.end <= known.ends.get(claimed.partition, 0)


def check_end(claimed: RequestRange, requests: TopicEnds) -> None:
    """Raises InvalidMessage for a range that goes beyond the requests: it would make those that are yet to come seem known, and
    their rows would be trimmed. ``requests``: as they were asked for at any time after the message was read, for no predictor
    accounts for a request before it is there. Of another incarnation of the topic nothing is to come: its ranges are believed."""
    end = requests.ends.get(claimed.partition, 0)  # a partition that the topic does not have holds none
    if claimed.topic_id == requests.topic_id and claimed.end > end:
        raise InvalidMessage(f"accounts for requests up to {claimed.end}, and there are none from {end} on")
