"""Where topics end, as last asked for: to ask the broker about every message would cost a call each."""

import threading
import time

from driftloop.contracts.headers import RequestRange
from driftloop.errors import ConfigurationError, TransientError
from driftloop.ports import MessageConsumer, TopicEnds, TopicPartition, Topics
from driftloop.rows.request_ranges import NO_REQUESTS, is_within
from driftloop.telemetry import get_logger

OTHERS_SECONDS, MOST_OTHERS = 30.0, 100

log = get_logger(__name__)


class AskedEnds:
    """Of one topic. Safe to ask from any thread; ``known`` is what the last answer was."""

    def __init__(self, broker: Topics, name: str) -> None:
        self._broker, self._name = broker, name
        self._reader: MessageConsumer | None = None
        self._asking = threading.Lock()
        self.known = TopicEnds("", {})

    def ask(self) -> TopicEnds:
        """As they are now. Raises TransientError, ConfigurationError for a topic that does not exist."""
        with self._asking:
            info = self._broker.describe([self._name])[self._name]
            ends = self._ends(info.partitions)
            if self._broker.describe([self._name])[self._name] != info:  # the ends may be of either
                raise TransientError(f"{self._name} is just being made anew, or given more partitions")
            self.known = TopicEnds(info.id, ends)
            return self.known

    def look(self) -> bool:
        """The same with one call instead of several: where the known partitions of the known incarnation end now. False, and nothing
        is known anew, when one ends before where it did: then it may be another incarnation. Raises TransientError."""
        with self._asking:
            before = self.known
            found = self._ends(len(before.ends))
            if any(found[partition] < end for partition, end in before.ends.items()):
                return False
            self.known = TopicEnds(before.topic_id, found)
            return True

    def close(self) -> None:
        """Let go of the connection. Asking makes a new one."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _ends(self, partitions: int) -> dict[int, int]:
        tps = [TopicPartition(self._name, partition) for partition in range(partitions)]
        if self._reader is None:
            self._reader = self._broker.reader(tps)
        try:
            return {tp.partition: end for tp, end in self._reader.end_offsets(tps).items()}
        except BaseException:
            self.close()
            raise


class RequestsEnds:
    """Where a stream's requests end, for those who read its inferences: ``check_end`` needs it for a range beyond what is known.

    Asked once for all messages that were read together: no request that they account for came later. An id that was in a message
    and is not the topic's will never be: it is asked again after OTHERS_SECONDS only because a broker may hear late of a topic
    made anew. Safe to ask from any thread.
    """

    def __init__(self, broker: Topics, requests: str) -> None:
        """``requests``: the topic."""
        self._name = requests
        self._ends = AskedEnds(broker, self._name)
        self._asking = threading.Lock()
        self._looked = self._asked = float("-inf")
        self._others: dict[str, float] = {}  # by id, since when it is known that it is not the topic's

    @property
    def known(self) -> TopicEnds:
        """Asks nobody."""
        return self._ends.known

    def reach(self, claimed: RequestRange, read_at: float) -> TopicEnds:
        """Ends that ``claimed`` is within, or that were asked for since ``read_at``, by the monotonic clock: when the message
        with the range was in hand, or before. A topic that is not there has none. Raises TransientError."""
        with self._asking:
            if is_within(claimed, self.known) or self._is_of_another(claimed):
                return self.known
            if self._looked < read_at and claimed.topic_id == self.known.topic_id and claimed.partition in self.known.ends:
                began = time.monotonic()
                if self._look():
                    self._looked = began
                    if is_within(claimed, self.known):
                        return self.known
            if self._asked < read_at:
                self._looked = self._asked = self._ask()
            if claimed.topic_id != self.known.topic_id:
                if len(self._others) == MOST_OTHERS:
                    self._others.clear()
                self._others[claimed.topic_id] = self._asked
            return self.known

    def as_of(self, read_at: float) -> TopicEnds:
        """As they were at that time or later, by the monotonic clock; a topic that is not there has none. Raises TransientError."""
        with self._asking:
            if self._asked < read_at:
                self._looked = self._asked = self._ask()
            return self.known

    def close(self) -> None:
        self._ends.close()

    def _is_of_another(self, claimed: RequestRange) -> bool:
        since = self._others.get(claimed.topic_id)
        return claimed.topic_id != self.known.topic_id and since is not None and time.monotonic() - since < OTHERS_SECONDS

    def _look(self) -> bool:
        try:
            return self._ends.look()
        except TransientError:
            self._ends.known = NO_REQUESTS  # the topic may be gone, and its partitions would be waited for again
            raise

    def _ask(self) -> float:
        began = time.monotonic()
        try:
            self._ends.ask()
        except ConfigurationError as exc:
            if self.known != NO_REQUESTS or self._asked == float("-inf"):
                log.error("requests-not-there", topic=self._name, reason=str(exc), meaning="any range of them is believed")
            self._ends.known = NO_REQUESTS
        return began
