"""A thread that feeds the journal from Kafka, and tells when it holds everything published so far."""

import threading
import time

from driftloop.adapters.kafka import AssignedConsumer, partitions_of
from driftloop.errors import GapError, TransientError
from driftloop.ports import TopicPartition
from driftloop.telemetry import get_logger
from driftloop_monitor.journal import TOPICS, Journal

log = get_logger(__name__)


class JournalFollower:
    """Reads the journal's topics from their beginnings; goes on through broker outages."""

    def __init__(self, bootstrap: str, journal: Journal, *, client_id: str) -> None:
        self._bootstrap, self._journal, self._client_id = bootstrap, journal, client_id
        self._at: dict[TopicPartition, int] = {}
        self._moved = threading.Condition()
        self._asked = self._answered = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> "JournalFollower":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)

    def sync(self, timeout_seconds: float = 20.0) -> None:
        """Return once all that the topics held at the time of the call has been folded. Raises TransientError."""
        with self._moved:
            self._asked += 1
            mine = self._asked
            if not self._moved.wait_for(lambda: self._answered >= mine, timeout_seconds):
                raise TransientError(f"the journal was not up to date within {timeout_seconds} s")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except TransientError as exc:
                log.warning("journal-unreachable", reason=str(exc))
                self._stopping.wait(1.0)
            except GapError as exc:
                log.error("journal-lost", reason=str(exc))  # a topic was made anew: start over there
                self._at.clear()
                self._stopping.wait(1.0)

    def _follow(self) -> None:
        tps = [TopicPartition(topic, p) for topic in TOPICS for p in range(partitions_of(self._bootstrap, topic))]
        consumer = AssignedConsumer(self._bootstrap, tps, client_id=self._client_id)
        try:
            for tp, beginning in consumer.beginning_offsets(tps).items():
                self._at[tp] = max(self._at.get(tp, 0), beginning)
                consumer.seek(tp, self._at[tp])
            while not self._stopping.is_set():
                asked = self._asked
                ends = consumer.end_offsets(tps) if asked > self._answered else {}
                deadline = time.monotonic() + 5
                while True:
                    for tp, records in consumer.poll(0.05, max_records=2000).items():
                        for record in records:
                            self._journal.take(record)
                            self._at[tp] = record.offset + 1
                    if all(self._at[tp] >= end or consumer.position(tp) >= end for tp, end in ends.items()):
                        break
                    if time.monotonic() > deadline:
                        raise TransientError("reading the journal takes too long")
                if ends:
                    with self._moved:
                        self._answered = asked
                        self._moved.notify_all()
        finally:
            consumer.close()
