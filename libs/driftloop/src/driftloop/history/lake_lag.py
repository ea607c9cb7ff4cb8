"""How far the lake is behind the topics of a stream."""

from typing import NamedTuple, Self

from driftloop.contracts import topics as names
from driftloop.contracts.values import Part
from driftloop.errors import ObjectNotFound
from driftloop.history.record_ends import ends_of_records
from driftloop.lake.table import LakeTable, app_id, request_app_id
from driftloop.ports import TopicPartition, Topics
from driftloop.settings import S3Settings


class TopicLag(Part, frozen=True, kw_only=True):
    """Messages of one topic, watermarks included, over its partitions: ``lag`` is what the lake does not account for yet."""

    topic: str
    end: int
    in_lake: int
    lag: int


class Lag(NamedTuple):
    """Of each topic of a stream."""

    requests: TopicLag
    inferences: TopicLag
    labels: TopicLag

    @property
    def unstored(self) -> int:
        """What applications have sent and the lake does not account for: requests that are not scored and stored, and labels."""
        return self.requests.lag + self.labels.lag


class LakeLag:
    """Compares the ends of a stream's topics with the cursors in the lake's tables. Keeps its connections until it is closed."""

    def __init__(self, topics: Topics, s3: S3Settings, stream: str) -> None:
        """Raises ConfigurationError when a topic does not exist, TransientError."""
        self._s3, self._stream = s3, stream
        self._sources = (
            (names.requests(stream), "inferences", request_app_id),
            (names.inferences(stream), "inferences", app_id),
            (names.labels(stream), "labels", app_id),
        )
        self._topics = topics.describe([topic for topic, _, _ in self._sources])
        self._partitions = [TopicPartition(topic, p) for topic, info in self._topics.items() for p in range(info.partitions)]
        self._consumer = topics.reader(self._partitions)
        self._tables: dict[str, LakeTable] = {}
        self._before: dict[TopicPartition, tuple[int, int]] = {}

    def measure(self) -> Lag:
        """Raises TransientError when broker or store do not answer."""
        for table in ("inferences", "labels"):
            self._refresh(table)
        reached = {tp: self._reached(tp) for tp in self._partitions}
        ends = self._ends(reached)
        lags = []
        for topic, _, _ in self._sources:
            tps = [tp for tp in self._partitions if tp.topic == topic]
            end, in_lake = sum(ends[tp] for tp in tps), sum(reached[tp] for tp in tps)
            lags.append(TopicLag(topic=topic, end=end, in_lake=in_lake, lag=end - in_lake))
        return Lag(*lags)

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _reached(self, tp: TopicPartition) -> int:
        _, table, cursor = next(source for source in self._sources if source[0] == tp.topic)
        opened = self._tables.get(table)
        return 0 if opened is None else opened.cursor(cursor(self._topics[tp.topic].id, tp.partition)) or 0

    def _ends(self, reached: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Of the records. Where a partition has stood still since the last look, there may be none behind what is reached, but
        control markers and aborted transactions: there it is read on."""
        ends = self._consumer.end_offsets(self._partitions)
        now = {tp: (reached[tp], ends[tp]) for tp in self._partitions}
        still = {tp for tp in self._partitions if self._before.get(tp, now[tp]) == now[tp]}
        self._before = now
        return ends_of_records(self._consumer, {tp: reached[tp] if tp in still else ends[tp] for tp in self._partitions})

    def _refresh(self, table: str) -> None:
        if table in self._tables:
            self._tables[table].refresh()
            return
        try:
            self._tables[table] = LakeTable.open(self._s3, self._stream, table)
        except ObjectNotFound:
            return  # nothing was committed yet
