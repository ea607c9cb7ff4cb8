"""The stream's requests, as ingest asks about them: what the topic holds, and what was given up."""

from collections.abc import Callable, Sequence

from driftloop.contracts.gaps import AcceptedGap
from driftloop.lake.table import LakeTable
from driftloop.ports import MessageConsumer, TopicPartition


class StreamRequests:
    """Keeps ``intake.Requests``. ``inferences``: the handle that ingest writes with, and asks in the thread in which it writes."""

    def __init__(self, topic: str, inferences: LakeTable, topic_id: Callable[[str], str], consumer: Callable[[], MessageConsumer]) -> None:
        self._topic, self._inferences, self._topic_id, self._consumer = topic, inferences, topic_id, consumer

    def bounds(self, topic_id: str, partition: int) -> tuple[int, int] | None:
        if self._topic_id(self._topic) != topic_id:
            return None
        tp, consumer = TopicPartition(self._topic, partition), self._consumer()
        return consumer.beginning_offsets([tp])[tp], consumer.end_offsets([tp])[tp]

    def gaps(self) -> Sequence[AcceptedGap]:
        self._inferences.refresh()
        return self._inferences.state().gaps
