"""Sketches in their turn: none is passed over, whatever order faust hands them out in."""

import asyncio
import sys
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from tests.unit.monitoring.teller import PROJECT, sketch

from driftloop.adapters.memory import MemoryBroker, MemoryStore, SystemClock
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import DriftReported, PerformanceReported
from driftloop.contracts.topics import WINDOW_SKETCHES, inferences
from driftloop.contracts.values import Window
from driftloop.errors import OutOfTurn
from driftloop.monitoring.assembly import WindowAssembler, stored_offset
from driftloop.monitoring.performance import performance_reports
from driftloop.ports import TopicInfo
from driftloop.service.accepted_gaps import AcceptedGaps
from driftloop.service.topic_ends import AskedEnds, RequestsEnds
from driftloop_monitor.assembly_runner import AssemblyRunner
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.early_messages import EarlyMessages
from driftloop_monitor.runners import Runners

SKETCHES = [sketch(0, version=None), sketch(1, version=None)]


class Changelog:
    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}

    async def send_changelog(self, partition: int | None, key: Any, value: Any) -> None: ...


class Reports:
    def __init__(self) -> None:
        self.published: list[DriftReported] = []

    def publish(self, topic: str, event: Any, *, key: str, id: str | None = None) -> None:
        self.published.append(event)


def inferences_of(partitions: int, messages: int) -> AskedEnds:
    """So many messages in each partition."""
    broker, name = MemoryBroker(), inferences(PROJECT.stream)
    broker.create_topic(name, partitions)
    for partition in range(partitions):
        for _ in range(messages):
            broker.producer().send(name, b"x", partition=partition)
    return AskedEnds(broker, name)


class Runner:
    """An assembly runner on a table in memory."""

    def __init__(self, placed: int = 0) -> None:
        self.reports, self.acknowledged = Reports(), list[int]()
        self.table = DurableTable(Changelog(), partial(stored_offset, topic_id="t"))
        self.table.place(0, placed)
        self.runner = AssemblyRunner(
            PROJECT,
            0,
            topic_id="t",
            values=self.table.open(0),
            profiles=SimpleNamespace(profile=None),
            publisher=self.reports,
            inferences=inferences_of(partitions=2, messages=100),
            clock=SystemClock(),
        )

    def handle(self, offset: int, which: int) -> None:
        value, headers = encode_event(SKETCHES[which], envelope(SKETCHES[which], id=f"s{offset}", source="test", subject=PROJECT.stream))
        message = SimpleNamespace(topic="window-sketches", partition=0, offset=offset, value=value, headers=list(headers))

        async def ack(event: Any) -> None:
            self.acknowledged.append(event.message.offset)

        asyncio.run(self.runner.handle(SimpleNamespace(message=message), ack))


def test_a_sketch_that_comes_before_its_turn_is_left_until_it_comes_again() -> None:
    runner = Runner()
    runner.handle(1, 1)
    assert runner.acknowledged == []
    runner.handle(0, 0)
    runner.handle(1, 1)
    assert runner.acknowledged == [0, 1]
    (report,) = runner.reports.published
    assert set(report.closing_offsets) == {"0", "1"}


def test_a_window_that_is_forgotten_without_a_decision_is_an_error_in_the_log(monkeypatch, caplog) -> None:
    monkeypatch.setattr("driftloop.monitoring.assembly.REMEMBERED_WINDOWS", 1)
    monkeypatch.setattr("driftloop.monitoring.assembly.UNDECIDED_WINDOWS", 1)
    begins = SKETCHES[0].window.end
    window = Window(start=begins, end=begins + (begins - SKETCHES[0].window.start))
    monkeypatch.setattr(sys.modules[__name__], "SKETCHES", (*SKETCHES, *(msgspec.structs.replace(s, window=window) for s in SKETCHES)))
    runner = Runner()
    for n in range(4):
        assert [r for r in caplog.records if r.levelname == "ERROR"] == []
        runner.handle(n, n)
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == ["windows-forgotten-undecided"]


def test_a_new_assembly_begins_where_the_consumer_was_put() -> None:
    runner = Runner(placed=70)
    runner.handle(70, 0)
    runner.handle(71, 1)
    assert len(runner.reports.published) == 1


def test_sketches_that_expired_while_the_project_was_down_are_not_waited_for() -> None:
    runners = Runners(
        PROJECT,
        inferences=TopicInfo("of inferences", 2),
        sketches=TopicInfo("t", 1),
        profiles=SimpleNamespace(profile=None),
        publisher=Reports(),
        quarantine=MemoryBroker().producer(),
        store=MemoryStore(),
        gaps=AcceptedGaps(MemoryStore(), PROJECT.stream),
        requests=RequestsEnds(MemoryBroker(), PROJECT.requests_topic),
        inferences_ends=inferences_of(partitions=2, messages=100),
        clock=SystemClock(),
    )
    of_others = Runner()
    of_others.handle(0, 0)
    place = runners.after_gaps(WINDOW_SKETCHES, 0, 1, 700)
    of_others.table.place(0, place)
    again = runners.of_window_counts(0, of_others.table)
    assert again.assembler.cursor.next_offset == place == 700
    assert runners.after_gaps(inferences(PROJECT.stream), 0, 1, 700) == 1  # nobody has given those up


def test_a_sketch_that_never_comes_is_a_gap_and_not_a_report_without_it() -> None:
    runner = Runner()
    runner.runner._early = EarlyMessages(patience_seconds=0)
    with pytest.raises(OutOfTurn, match="sketch 1 came where 0 was due"):
        runner.handle(1, 1)
    assert runner.reports.published == []


def test_patience_begins_anew_with_every_message_in_its_turn() -> None:
    now = 0.0
    early = EarlyMessages(patience_seconds=20, monotonic=lambda: now)
    assert early.is_one(5, due=3)
    now = 19
    assert early.is_one(6, due=3)
    assert not early.is_one(3, due=3)
    now = 38
    assert early.is_one(5, due=4)
    now = 59
    assert not early.is_one(5, due=4)


def performance_report(revision: int) -> PerformanceReported:
    rows = pa.table(
        {"model_version": pa.array([], pa.int64()), "label": pa.array([], pa.bool_())} | {name: [] for name in ("prediction", "score")}
    )
    [report] = performance_reports(PROJECT, SKETCHES[0].window, rows, 1, 1)
    return msgspec.structs.replace(report, revision=revision)


def test_what_was_reported_of_performance_is_stored_without_waiting_for_another_sketch() -> None:
    runner = Runner()
    runner.handle(0, 0)
    runner.handle(1, 1)
    asyncio.run(runner.runner.remember([performance_report(3)]))
    stored = WindowAssembler(PROJECT.stream, runner.table.values(0), "t")
    assert [held.last_report(None).revision for held in stored.complete()] == [3]
    assert stored.cursor.next_offset == 2


def test_a_sketch_that_is_half_in_is_not_stored_under_the_offset_before_it() -> None:
    """Else it would be passed over as known when it comes again after a crash, and its report never be made."""
    runner = Runner()
    runner.handle(0, 0)
    before = runner.table.values(0)

    async def meanwhile() -> None:
        async with runner.runner._handling:
            runner.runner.assembler.add(SKETCHES[1])
            await runner.runner.remember([performance_report(0)])

    asyncio.run(meanwhile())
    assert runner.table.values(0) == before
