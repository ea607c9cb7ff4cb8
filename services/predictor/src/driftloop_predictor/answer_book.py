"""Answers of another system that wait for their requests, and requests that wait for their answers. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence

from driftloop.ports import TopicPartition
from driftloop.rows.answers import Answer

IDLE_MS = 60_000  # a partition that brought nothing for so long has nothing older to bring
TRUSTED_FROM = 100  # records of one partition in a row: fewer may all be of one producer, whose clock may be wrong


class OldestRequests:
    """How far back requests may lie that are not accounted for, partition by partition: none comes that is older than the last."""

    def __init__(self) -> None:
        self._reached: dict[TopicPartition, tuple[int, int]] = {}  # time of the newest request taken, and when that was

    def own(self, tp: TopicPartition, next_ms: int | None, now_ms: int) -> None:
        """``next_ms``: when the first request was sent that is to be read; None: there is none yet."""
        self._reached[tp] = (now_ms if next_ms is None else next_ms), now_ms

    def disown(self, tp: TopicPartition) -> None:
        self._reached.pop(tp, None)

    def took(self, tp: TopicPartition, newest_ms: int, now_ms: int) -> None:
        self._reached[tp] = newest_ms, now_ms

    def oldest(self, in_hand: Mapping[TopicPartition, int], now_ms: int) -> int | None:
        """``in_hand``: when the oldest request of a partition was sent that waits here. None without a partition."""
        return min((in_hand.get(tp, self._idle(*reached, now_ms)) for tp, reached in self._reached.items()), default=None)

    @staticmethod
    def _idle(newest_ms: int, taken_ms: int, now_ms: int) -> int:
        return newest_ms if now_ms - taken_ms < IDLE_MS else max(newest_ms, now_ms - IDLE_MS)


def reached_by(times_ms: Sequence[int]) -> int | None:
    """How far a partition has been read, by the times of its last records; None: too few to tell.

    Producers may set them, each by its own clock. So one in ten may lie ahead of it without anybody being given up for that.
    """
    return sorted(times_ms)[len(times_ms) // 10] if len(times_ms) >= TRUSTED_FROM else None


class AnswerBook:
    """What was read of the answers' topic. Times are those of messages, in milliseconds since 1970.

    An answer counts for a request if it was sent at most ``patience_ms`` after it, or before it. So a request that has none is given up
    once every partition has been read to that moment, and not earlier, however late it is by the clock: what is read again after a
    restart has the same answers.
    """

    def __init__(self, patience_ms: int) -> None:
        self._patience = patience_ms
        self._answers: dict[str, Answer | str] = {}
        self._order: deque[tuple[int, str]] = deque()  # as they were read
        self._read_to: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def begin(self, partitions: int, time_ms: int) -> None:
        """Anew, before the first answer of this moment of each partition."""
        self._answers.clear()
        self._order.clear()
        self._read_to = dict.fromkeys(range(partitions), time_ms)

    def take(self, event_id: str, answer: Answer | str, time_ms: int) -> None:
        """An answer, or why it is none. The first one to an event stands."""
        if event_id not in self._answers:
            self._answers[event_id] = answer
            self._order.append((time_ms, event_id))

    def read_to(self, partition: int, time_ms: int) -> None:
        """All answers of the partition of before this moment have been taken."""
        self._read_to[partition] = max(time_ms, self._read_to.get(partition, time_ms))

    def get(self, event_id: str) -> Answer | str | None:
        return self._answers.get(event_id)

    def settled(self, event_id: str, asked_ms: int) -> bool:
        """Whether it is known what was answered to a request of this moment, or that nothing was in time."""
        return event_id in self._answers or min(self._read_to.values(), default=asked_ms) > asked_ms + self._patience

    def forget_before(self, time_ms: int) -> None:
        """No request of before this moment is yet to come: answers that came long enough before it are nobody's."""
        while self._order and self._order[0][0] < time_ms - self._patience:
            self._answers.pop(self._order.popleft()[1], None)
