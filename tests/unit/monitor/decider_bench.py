"""A decider over memory, and a lake that says what a test sets."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
from tests.unit.monitoring.traffic import START, make_project, window

from driftloop.adapters.kafka import Publisher
from driftloop.adapters.memory import FixedClock, MemoryBroker
from driftloop.contracts.codec import decode_event
from driftloop.contracts.topics import CONTROL_TOPICS, DECISIONS
from driftloop.contracts.values import Window
from driftloop.errors import TransientError
from driftloop.history.events import Events
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import ModelHistory
from driftloop.lake.join import JoinCounts
from driftloop.monitoring.assembled_window import AssembledWindow, WindowSummary
from driftloop.monitoring.assembly import WindowAssembler
from driftloop.monitoring.performance import ProfileOf, no_profile
from driftloop.project.model import Project
from driftloop_monitor.decider import Decider
from driftloop_monitor.history import KEEP, TOPICS

PROJECT = make_project(min_new_labels=50)


class FakeLake:
    """A lake whose rows and promises a test sets."""

    versions = (1, 1)

    def __init__(self) -> None:
        self.held, self.known, self.labelled, self.ranges = True, True, 100, []
        self.lone = 0  # labels without an inference
        self.since, self.seen = [], {}

    def refresh(self) -> bool:
        return True

    def changed(self, since):
        self.since.append(dict(since))
        ranges, self.ranges, self.seen = self.ranges, [], {"labels": self.versions[1]}
        return ranges

    def holds(self, closing_offsets: dict[str, int], topic_ids: dict[str, str]) -> bool:
        return self.held

    def labels_known(self, window: Window) -> bool:
        return self.known

    def rows(self, window: Window, counts: JoinCounts) -> pa.Table:
        counts.labels, counts.joined = self.labelled + self.lone, self.labelled
        rng, n = np.random.default_rng(0), 120
        unknown = np.arange(n) >= self.labelled
        return pa.table(
            {
                "event_time": pa.array([window.start] * n, pa.timestamp("us", tz="UTC")),
                "prediction": pa.array(rng.random(n) < 0.5),
                "score": pa.array(rng.random(n)),
                "model_version": pa.array([1] * n),
                "label": pa.array(rng.random(n) < 0.5, mask=unknown),
                "label_time": pa.array([window.start + timedelta(minutes=5)] * n, pa.timestamp("us", tz="UTC"), mask=unknown),
            }
        )


class FailingPublisher(Publisher):
    """Refuses one topic, as a process that dies before it would have published there."""

    refused: str | None = None

    def publish(self, topic, event, **about):
        if topic == self.refused:
            raise TransientError("killed")
        super().publish(topic, event, **about)


class Bench:
    """A decider over memory."""

    def __init__(self, profile_of: ProfileOf = no_profile, project: Project = PROJECT) -> None:
        self.broker, self.lake, self.profile_of, self.project = MemoryBroker(), FakeLake(), profile_of, project
        self.table: dict[bytes, bytes] = {}
        for topic in CONTROL_TOPICS:
            self.broker.create_topic(topic.name, topic.partitions)
        self.restart()

    def restart(self) -> None:
        self.assembler = WindowAssembler(PROJECT.stream, self.table, "of window-sketches")
        history = ModelHistory(PROJECT.model, KEEP)
        self.publisher = FailingPublisher(self.broker.producer(), source="driftloop/test")
        reader = LogReader(self.broker, TOPICS, Events(history))
        self.decider = Decider(self.project, self.lake, history, self.publisher, FixedClock(START), reader.sync, self.profile_of)

    def step(self, *windows: int) -> None:
        """As the wiring does: what was told is remembered by the windows, whatever becomes of the topics."""
        for i in windows:
            self.assembler.windows.setdefault(window(i), complete(i))
        cursor = self.assembler.cursor
        self.decider.step([self.assembler.windows[window(i)] for i in windows], self.assembler.forgotten, cursor.lake_seen)
        for report in self.decider.take_told():
            self.assembler.measured(report)
        self.table.update(self.assembler.changes(0))

    def forget(self, topic: str) -> None:
        """As its retention does; the records are still there for ``events``."""
        for tp in self.broker.partitions(topic):
            self.broker.expire(tp, before=sum(record.partition == tp.partition for record in self.broker.records(topic)))

    def events(self, topic: str):
        return [decode_event(r.value, r.headers)[0] for r in self.broker.records(topic)]

    def ids(self, topic: str):
        return [decode_event(r.value, r.headers)[1].id for r in self.broker.records(topic)]


def complete(i: int, version: int | None = 1) -> AssembledWindow:
    summary = WindowSummary(version=version, rows=120, drifted=False, column="amount", value=0.1, threshold=0.25, closing_offsets={"0": 5})
    return AssembledWindow(window(i), revision=0, summary=summary)


def evidence_of(bench: Bench) -> dict:
    other = Bench()
    other.step(0)
    return other.events(DECISIONS)[0].evidence
