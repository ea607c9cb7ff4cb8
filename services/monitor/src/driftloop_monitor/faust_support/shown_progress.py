"""How far the tables are in the topics that they fold, for the same metrics as the loop of the other services shows."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from driftloop.ports import TopicPartition
from driftloop.service.partition_progress import PartitionProgress
from driftloop_monitor.faust_support.durable_table import DurableTable


class Ends(Protocol):
    """What is used of faust's consumer. Asks nobody."""

    def assignment(self) -> Iterable[Any]:
        """The partitions of this worker, each with ``topic`` and ``partition``."""

    def highwater(self, tp: Any) -> int | None:
        """The end of a partition as the last fetch showed it; None before the first."""


class ShownProgress:
    """``tables``: by the topic that each folds."""

    def __init__(self, tables: Mapping[str, DurableTable], progress: PartitionProgress | None = None) -> None:
        self._tables, self._progress = tables, progress or PartitionProgress()
        self._shown: frozenset[TopicPartition] = frozenset()

    def show(self, consumer: Ends) -> None:
        """As it is now; called about once a second, whatever the agents are at."""
        owned = {TopicPartition(tp.topic, tp.partition): tp for tp in consumer.assignment() if tp.topic in self._tables}
        self._progress.forget(self._shown - owned.keys())
        self._shown = frozenset(owned)
        for mine, theirs in owned.items():
            table = self._tables[mine.topic]
            self._progress.durable(mine, max(table.durable(mine.partition), table.placed(mine.partition)))
            try:
                self._progress.end(mine, consumer.highwater(theirs))
            except AssertionError:  # aiokafka's: it was taken away between the two questions
                continue
