"""The record as the console keeps it: one fold of control events into tables, a journal and runs. Pure, and bounded in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from driftloop.contracts import topics
from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import (
    ChallengerMeasured,
    DecisionMade,
    DriftReported,
    Event,
    IncidentReported,
    LakeCommitted,
    MessagesRedriven,
    PerformanceReported,
    RetrainRequested,
    TrainingCompleted,
    TrainingFailed,
    TrainingStarted,
    VersionReproduced,
)
from driftloop.contracts.typed import prepared
from driftloop_console.data_versions import DataVersions, StoredData
from driftloop_console.drift_table import DriftTable, StoredDrift
from driftloop_console.journal import Entry, Journal
from driftloop_console.performance_table import PerformanceTable, StoredPerformance
from driftloop_console.retrain_record import RetrainRecord
from driftloop_console.runs import Run, Runs
from driftloop_console.segment_table import SegmentTable, StoredSegments

TOPICS = (
    topics.DRIFT_REPORTS,
    topics.PERFORMANCE_REPORTS,
    topics.INCIDENTS,
    topics.DECISIONS,
    topics.RETRAIN_REQUESTS,
    topics.TRAINING_RUNS,
    topics.REPRODUCTIONS,
    topics.DATASET_VERSIONS,
    topics.REDRIVES,
)
MAX_MODELS = 200  # that have tables: whoever writes to the topics may make up names


class Tables(NamedTuple):
    drift: DriftTable
    performance: PerformanceTable
    segments: SegmentTable


class _Stored(msgspec.Struct, frozen=True):
    drift: dict[str, StoredDrift]
    performance: dict[str, StoredPerformance]
    segments: dict[str, StoredSegments]
    journal: list[Entry]
    runs: list[Run]
    data: StoredData
    retrains: dict[str, list[bytes]]
    events: int


class ConsoleFold:
    """Keeps ``history.events.EventFold``. A page reads under ``reading``: it sees whole events, and holds up the reader for as long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self.models: dict[str, Tables] = {}
        self.journal, self.runs, self.retrains = Journal(), Runs(), RetrainRecord()
        self.data = DataVersions()
        self.events = 0

    @contextmanager
    def reading(self) -> Iterator["ConsoleFold"]:
        with self._lock:
            yield self

    def add(self, event: Event, about: Envelope) -> None:
        with self._lock:
            self._add(event, about)
            self.events += 1

    def _add(self, event: Event, about: Envelope) -> None:
        match event:
            case DriftReported():
                if (tables := self._tables(event.model)) is not None:
                    tables.drift.add(event)
            case PerformanceReported():
                if (tables := self._tables(event.model)) is not None:
                    tables.performance.add(event)
                    tables.segments.add(event)
            case TrainingStarted():
                self.runs.add(event, about)
                self.data.add(event, about)
            case LakeCommitted() | MessagesRedriven():
                self.data.add(event, about)
            case DecisionMade() | RetrainRequested() | TrainingCompleted() | TrainingFailed():
                self.runs.add(event, about)
                self.journal.add(event, about)
                if isinstance(event, DecisionMade):
                    self.retrains.add(event)
            case IncidentReported() | VersionReproduced() | ChallengerMeasured():
                self.journal.add(event, about)
            case _:
                pass  # a newer kind is no part of these pages

    def reset(self) -> None:
        with self._lock:
            self._clear()

    def stored(self) -> bytes:
        with self._lock:
            state = _Stored(
                drift={name: tables.drift.stored() for name, tables in self.models.items()},
                performance={name: tables.performance.stored() for name, tables in self.models.items()},
                segments={name: tables.segments.stored() for name, tables in self.models.items()},
                journal=self.journal.stored(),
                runs=self.runs.stored(),
                data=self.data.stored(),
                retrains=self.retrains.stored(),
                events=self.events,
            )
        return msgspec.msgpack.encode(state)

    def restore(self, stored: bytes) -> None:
        found = msgspec.msgpack.decode(stored, type=prepared(_Stored))
        with self._lock:
            self._clear()
            for name, drift in found.drift.items():
                tables = _empty()
                tables.drift.restore(drift)
                tables.performance.restore(found.performance[name])
                tables.segments.restore(found.segments[name])
                self.models[name] = tables
            self.journal.restore(found.journal)
            self.runs.restore(found.runs)
            self.data.restore(found.data)
            self.retrains.restore(found.retrains)
            self.events = found.events

    def tables(self, model: str) -> Tables | None:
        """None: nothing was reported on it yet."""
        return self.models.get(model)

    @property
    def nbytes(self) -> int:
        """Of the tables' numbers, which are nearly all of it."""
        return sum(of.table.nbytes for tables in self.models.values() for of in tables)

    def _tables(self, model: str) -> Tables | None:
        if model not in self.models and len(self.models) < MAX_MODELS:
            self.models[model] = _empty()
        return self.models.get(model)


def _empty() -> Tables:
    return Tables(DriftTable(), PerformanceTable(), SegmentTable())
