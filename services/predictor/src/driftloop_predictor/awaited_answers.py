"""Batches of requests that wait for another system's answers, which are on a topic of their own."""

from collections.abc import Callable, Mapping

from driftloop.ports import Record, TopicPartition
from driftloop_predictor.answer_book import OldestRequests
from driftloop_predictor.answers_topic import AnswersTopic
from driftloop_predictor.buffer import PartitionBuffer
from driftloop_predictor.serving import Answerer
from driftloop_predictor.watching import Watching


class AwaitedAnswers:
    """What the handler of the requests tells it: where each partition goes on and what it took. ``topic`` None: nothing is waited for."""

    def __init__(self, topic: AnswersTopic | None, serving: Callable[[], Answerer | None]) -> None:
        self._topic, self._serving = topic, serving
        self._oldest = OldestRequests()

    def own(self, offsets: Mapping[TopicPartition, int], sent: Callable[[Mapping[int, int]], Mapping[int, int]]) -> None:
        """``sent``: when the first request at an offset or behind it was sent, by partition. Raises TransientError."""
        if self._topic is None:
            return
        times = sent({tp.partition: offset for tp, offset in offsets.items()})
        for tp in offsets:
            self._oldest.own(tp, times.get(tp.partition), self._topic.now_ms())

    def took(self, tp: TopicPartition, newest: Record) -> None:
        if self._topic is not None:
            self._oldest.took(tp, newest.timestamp_ms, self._topic.now_ms())

    def disown(self, tp: TopicPartition) -> None:
        self._oldest.disown(tp)
        if self._topic is not None:
            self._topic.disown(tp)

    def follow(self, buffers: Mapping[TopicPartition, PartitionBuffer]) -> None:
        """Read the answers on, as far as these requests need them. Raises TransientError, ConfigurationError."""
        topic = self._in_use()
        if topic is None:
            return
        in_hand = {tp: buffer.first().records[0].timestamp_ms for tp, buffer in buffers.items() if len(buffer)}
        oldest = self._oldest.oldest(in_hand, topic.now_ms())
        if oldest is not None:
            topic.follow(oldest)

    def ready(self, buffers: Mapping[TopicPartition, PartitionBuffer]) -> list[TopicPartition]:
        """Of these partitions those whose oldest batch waits for no answer."""
        topic = self._in_use()
        return [tp for tp, buffer in buffers.items() if topic is None or topic.ready(tp, buffer.first())]

    def _in_use(self) -> AnswersTopic | None:
        """Only while the other system is who answers."""
        return self._topic if self._topic is not None and isinstance(self._serving(), Watching) else None
