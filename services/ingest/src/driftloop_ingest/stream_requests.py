"""The stream's requests, as ingest asks about them: what the topic holds, and what was given up."""

import time
from collections.abc import Callable, Sequence

from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.headers import RequestRange
from driftloop.lake.table import LakeTable
from driftloop.ports import MessageConsumer, TopicPartition
from driftloop.rows.request_ranges import check_end
from driftloop.service.topic_ends import RequestsEnds


class StreamRequests:
    """Keeps ``intake.Requests``. ``inferences``: the handle that ingest writes with, and asks in the thread in which it writes."""

    def __init__(self, topic: str, inferences: LakeTable, ends: RequestsEnds, consumer: Callable[[], MessageConsumer]) -> None:
        self._topic, self._inferences, self._ends, self._consumer = topic, inferences, ends, consumer
        self._polled = time.monotonic()

    def next_poll(self) -> None:
        """What was polled is taken up: the messages to come may account for requests that are not there yet."""
        self._polled = time.monotonic()

    def check_end(self, claimed: RequestRange) -> None:
        check_end(claimed, self._ends.reach(claimed, self._polled))

    def beginning(self, topic_id: str, partition: int) -> int | None:
        now = self._ends.as_of(self._polled)
        if now.topic_id != topic_id or partition not in now.ends:
            return None
        tp = TopicPartition(self._topic, partition)
        return self._consumer().beginning_offsets([tp])[tp]

    def gaps(self) -> Sequence[AcceptedGap]:
        self._inferences.refresh()
        return self._inferences.state().gaps
