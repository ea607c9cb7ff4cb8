"""``[answers]``: where a record of the stream tells what a model that is served elsewhere has answered."""

from datetime import timedelta

from driftloop.contracts.values import Part
from driftloop.contracts.windows import parse_duration

UNVERSIONED = "unversioned"


class Answers(Part, frozen=True, kw_only=True):
    """Paths into the JSON object, with a dot between the names of nested ones.

    ``prediction``: in the target's type. ``score``: P(true), P(predicted class) or the predicted number. At least one of them is in
    each record; a prediction of a boolean follows from its score, and of numbers either from the other. ``probabilities``: by class,
    of a target of several. ``version``: as the other system calls it; null: all are called UNVERSIONED.

    ``topic``: another topic, not the requests', that the answers are on, joined by event id: ``event_id`` is its path there.
    ``join_within``: how long a request waits for its answer.
    """

    prediction: str = "prediction"
    score: str = "score"
    probabilities: str | None = None
    version: str | None = None
    topic: str | None = None
    event_id: str = "event_id"
    join_within: str = "30s"

    @property
    def patience(self) -> timedelta:
        return parse_duration(self.join_within)
