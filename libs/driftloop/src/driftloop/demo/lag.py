"""How far the lake is behind the topics that applications write."""

from typing import NamedTuple, Self

from driftloop.adapters.kafka import AssignedConsumer, partitions_of, topic_id
from driftloop.contracts import topics
from driftloop.errors import ObjectNotFound
from driftloop.lake.table import LakeTable, app_id, request_app_id
from driftloop.ports import TopicPartition
from driftloop.settings import S3Settings


class Behind(NamedTuple):
    """Messages of each topic, watermarks included, that the lake does not account for yet."""

    requests: int
    labels: int

    @property
    def total(self) -> int:
        return self.requests + self.labels


class LakeLag:
    """Compares the ends of ``<stream>.requests`` and ``<stream>.labels`` with the cursors in the lake's tables."""

    def __init__(self, bootstrap: str, s3: S3Settings, stream: str) -> None:
        self._s3, self._stream = s3, stream
        requests, labels = topics.requests(stream), topics.labels(stream)
        self._cursors = {
            TopicPartition(topic, p): (table, cursor(topic_id(bootstrap, topic), p))
            for topic, table, cursor in ((requests, "inferences", request_app_id), (labels, "labels", app_id))
            for p in range(partitions_of(bootstrap, topic))
        }
        self._requests = [tp for tp in self._cursors if tp.topic == requests]
        self._labels = [tp for tp in self._cursors if tp.topic == labels]
        self._consumer = AssignedConsumer(bootstrap, list(self._cursors), client_id="driftloop-demo-lag")
        self._tables: dict[str, LakeTable] = {}

    def measure(self) -> Behind:
        """Raises TransientError when broker or store do not answer."""
        ends = self._consumer.end_offsets(list(self._cursors))
        for table in ("inferences", "labels"):
            self._refresh(table)
        behind = {tp: ends[tp] - self._reached(tp) for tp in self._cursors}
        return Behind(sum(behind[tp] for tp in self._requests), sum(behind[tp] for tp in self._labels))

    def close(self) -> None:
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _refresh(self, table: str) -> None:
        if table in self._tables:
            self._tables[table].refresh()
            return
        try:
            self._tables[table] = LakeTable.open(self._s3, self._stream, table)
        except ObjectNotFound:
            return  # nothing was committed yet

    def _reached(self, tp: TopicPartition) -> int:
        table, cursor = self._cursors[tp]
        return (self._tables[table].cursor(cursor) or 0) if table in self._tables else 0
