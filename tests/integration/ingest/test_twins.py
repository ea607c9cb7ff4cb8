"""A paused ingest that wakes up after others have committed what it holds: I1 of the reliability catalogue."""

import json
import signal
from collections.abc import Collection
from datetime import timedelta

import pytest
from tests.support.ingest_process import TABLES, IngestProcess, IngestWorld
from tests.support.traffic import small_schema
from tests.support.waiting import wait_until

from driftloop.adapters.kafka import AssignedConsumer, Producer, Publisher, topic_id
from driftloop.adapters.memory import SystemClock
from driftloop.ports import TopicPartition
from driftloop_ingest.intake import InferenceIntake, LabelIntake
from driftloop_ingest.settings import FlushLimits
from driftloop_ingest.table_writer import Outputs, TableWriter

FLUSH_SECONDS = "6"  # from the first row in the buffers; the twin is paused before


def wait_for_full_buffers(world: IngestWorld, twin: IngestProcess) -> None:
    """Until all rows sent are in the twin's hands, which has stored only those of before."""
    everything = sum(world.sent.values())
    stored = twin.logged("lake-committed")
    wait_until(lambda: twin.taken(f"{world.stream}.inferences") >= everything - everything // 50, "the rows in the twin's buffers")
    wait_until(lambda: twin.taken(f"{world.stream}.labels") >= everything - everything // 10, "the labels in the twin's buffers")
    assert twin.logged("lake-committed") == stored, "the twin has stored them already"


def test_a_paused_twin_that_wakes_up_after_a_peer_took_over_changes_nothing(world):
    world.send()
    with world.ingest("ingest-a", DRIFTLOOP_INGEST_FLUSH_SECONDS=FLUSH_SECONDS, DRIFTLOOP_INGEST_FLUSH_ROWS="1000000") as twin:
        world.wait_caught_up()
        world.send()
        wait_for_full_buffers(world, twin)
        twin.send(signal.SIGSTOP)
        try:
            with world.ingest("ingest-b") as peer:
                world.wait_caught_up()
                world.send()
                world.wait_caught_up()
                twin.send(signal.SIGCONT)
                wait_until(lambda: twin.logged("partitions-fenced"), "the twin to be fenced")
                world.send()
                world.wait_caught_up()
                assert peer.logged("lake-committed") > 0
        finally:
            twin.send(signal.SIGCONT)
    world.check()


def test_a_paused_twin_that_keeps_a_partition_gives_up_the_others_and_only_those(world):
    """Its own partition's rows are new to the table, so the flush that holds them refreshes the table and goes on."""
    world.send()
    with world.ingest("ingest-a", DRIFTLOOP_INGEST_FLUSH_SECONDS=FLUSH_SECONDS, DRIFTLOOP_INGEST_FLUSH_ROWS="1000000") as twin:
        world.wait_caught_up()
        kept = world.partitions - 1
        world.send()
        wait_for_full_buffers(world, twin)
        twin.send(signal.SIGSTOP)
        try:
            commit_as_peer(world, range(kept))
        finally:
            twin.send(signal.SIGCONT)
        wait_until(lambda: twin.logged("partitions-fenced") == len(TABLES), "the twin to be fenced in both tables")
        world.send()
        world.wait_caught_up()
        assert fenced(twin.log) == [list(range(kept))] * len(TABLES)
        assert twin.logged("partition-taken") == len(TABLES) * (world.partitions + kept)  # all once, those that it lost again
    world.check()


def commit_as_peer(world: IngestWorld, partitions: Collection[int]) -> None:
    """What waits in these partitions, in one commit per table, as a peer does that owns them."""
    schema, producer = small_schema(world.stream), Producer(world.bootstrap, client_id="test-peer")
    outputs = Outputs(world.store, producer, Publisher(producer, source="driftloop/ingest"))
    lateness, clock = timedelta(0), SystemClock()
    intakes = {"inferences": InferenceIntake(schema, lateness, clock), "labels": LabelIntake(schema, lateness, clock)}
    for name, intake in intakes.items():
        topic = f"{world.stream}.{name}"
        writer = TableWriter(world.table(name), topic, intake, outputs, FlushLimits(rows=1_000_000), lambda lost: pytest.fail(str(lost)))
        starts = writer.assign(dict.fromkeys(partitions, 0), topic_id(world.bootstrap, topic))
        ends = {TopicPartition(topic, p): end for p, end in world.ends(name).items() if p in partitions}
        consumer = AssignedConsumer(world.bootstrap, sorted(ends), client_id="test-peer")
        for tp in ends:
            consumer.seek(tp, starts[tp.partition])
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for tp, records in consumer.poll(0.1).items():
                writer.take(tp.partition, records)
        writer.flush()
        consumer.close()
    producer.close()


def fenced(log):
    """The partitions that each fence took, in order."""
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [line["partitions"] for line in lines if line["event"] == "partitions-fenced"]
