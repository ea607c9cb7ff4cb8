"""What each window's predictions were worth, and how many labels say so."""

from typing import NamedTuple, get_args

import msgspec
import numpy as np

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import Answer
from driftloop_console.columns import Array, Columns, Stored
from driftloop_console.drift_table import MAX_COLUMNS

MAX_ROWS = 400_000  # of one model
MAX_METRICS = 255
FLOATS = ("value", "lower", "upper", "coverage", "estimate", "delay", "loss", "challenger_value", "disagreement")
ANSWERS: tuple[Answer | None, ...] = (None, *get_args(Answer))


class StoredPerformance(msgspec.Struct, frozen=True):
    metrics: list[str]
    table: Stored
    importance: dict[str, float]


class Answers(NamedTuple):
    """Of windows in order; ``code``: a place in ANSWERS, the larger the worse."""

    start: Array
    end: Array
    code: Array


class PerformanceTable:
    """Of one model: the newest revision of each window and version, and of all versions of a window together.

    ``importance``: what each column is worth to the version whose window was answered last, in units of the metric.
    """

    def __init__(self) -> None:
        self.metrics: list[str] = []  # whose places rows name: a project may change its metric
        self.importance: dict[str, float] = {}
        whole = dict.fromkeys(("revision", "rows", "labelled", "challenger"), "i8")
        self.table = Columns({"metric": "u1", "answer": "u1"} | whole | dict.fromkeys(FLOATS, "f8"), max_rows=MAX_ROWS)

    def add(self, event: PerformanceReported) -> None:
        if event.metric not in self.metrics:
            if len(self.metrics) >= MAX_METRICS:
                return
            self.metrics.append(event.metric)
        row, known = self.table.row_of(event.window, event.version)
        if known and self.table["revision"][row] > event.revision:
            return
        measured, unset = event.measured, msgspec.UNSET
        answer = None if event.answer is unset else event.answer
        beside = next(iter(event.challengers or ()), None)  # a window has one, but for that of a change
        self.table.set(
            row,
            revision=event.revision,
            metric=self.metrics.index(event.metric),
            rows=event.rows,
            labelled=event.labelled,
            coverage=event.coverage,
            value=np.nan if measured is None else measured.value,
            lower=np.nan if measured is None else measured.lower,
            upper=np.nan if measured is None else measured.upper,
            estimate=np.nan if event.estimate is unset else event.estimate.value,
            loss=np.nan if event.loss is unset else event.loss.mean,
            delay=np.nan if event.median_label_delay_seconds is None else event.median_label_delay_seconds,
            challenger=0 if beside is None else beside.version,
            challenger_value=np.nan if beside is None or beside.measured is None else beside.measured.challenger,
            disagreement=np.nan if beside is None or beside.disagreement is None else beside.disagreement,
            answer=0 if answer is None else ANSWERS.index(answer.answer),
        )
        if answer is not None:
            told = {moved.column: moved.importance for moved in answer.columns if moved.importance is not None}
            self.importance |= {
                name: worth for name, worth in told.items() if name in self.importance or len(self.importance) < MAX_COLUMNS
            }

    def answers(self, part: slice) -> "Answers":
        """What each window of a part of the rows meant, by the report on the version that scored most of it."""
        table = self.table
        versions = table["version"][part]
        own = np.flatnonzero(versions > 0) + part.start
        order = own[np.lexsort((table["answer"][own] > 0, table["rows"][own], table["end"][own], table["start"][own]))]
        start, end = table["start"][order], table["end"][order]
        last = np.append((start[1:] != start[:-1]) | (end[1:] != end[:-1]), True)[: len(order)]
        rows = order[last]
        return Answers(table["start"][rows], table["end"][rows], table["answer"][rows])

    def stored(self) -> StoredPerformance:
        return StoredPerformance(self.metrics, self.table.stored(), self.importance)

    def restore(self, stored: StoredPerformance) -> None:
        self.metrics, self.importance = list(stored.metrics), dict(stored.importance)
        self.table.restore(stored.table)
