"""The order of a flush's steps, and what it leaves out: on the real store, with a broker in memory."""

import pytest
from tests.support.ingesting import Ingest
from tests.support.traffic import event_id

from driftloop.adapters.memory import MemoryProducer
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.errors import GapError, TransientError
from driftloop.lake.table import LakeTable
from driftloop.ports import TopicPartition
from driftloop.service.quarantine import read_quarantined
from driftloop_ingest.settings import FlushLimits

PATIENT = FlushLimits(rows=1_000_000, seconds=1_000_000.0)


def event_ids(s3_settings, stream, name):
    return sorted(LakeTable.open(s3_settings, stream, name).read(["event_id"])["event_id"].to_pylist())


class WatchedStore(MinioObjectStore):
    """Notes for each data file whether the table named it already when its bytes came."""

    def __init__(self, s3_settings, stream):
        super().__init__(s3_settings)
        self._named = lambda name: {f.path for f in LakeTable.open(s3_settings, stream, name).files()}
        self.puts = []

    def put(self, key, data):
        if key.endswith(".parquet"):
            _, _, name, path = key.split("/", 3)
            self.puts.append(path in self._named(name))
        super().put(key, data)


class FailingProducer(MemoryProducer):
    """Cannot confirm what it was given until it is mended, as when the broker is away; hands it over then."""

    def __init__(self, broker):
        super().__init__(broker)
        self.broken, self._held = True, []

    def send(self, topic, value, **about):
        self._held.append((topic, value, about))

    def flush(self):
        if self.broken:
            raise TransientError("not delivered")
        for topic, value, about in self._held:
            super().send(topic, value, **about)
        self._held.clear()


def assigned(ingest):
    """All partitions of the stream, begun where the tables say; without the worker's loop, so that a test sets the steps."""
    tps = frozenset(TopicPartition(f"{ingest.stream}.{name}", p) for name in ("inferences", "labels") for p in (0, 1))
    ingest.handler.starting_offsets(tps)
    return tps


def take(ingest, topic):
    for partition in (0, 1):
        records = [r for r in ingest.broker.records(topic) if r.partition == partition]
        if records:
            ingest.handler.on_records(TopicPartition(topic, partition), records)


def test_the_bytes_are_in_the_store_before_a_commit_names_them(broker, s3_settings, traffic, stream):
    store = WatchedStore(s3_settings, stream)
    traffic.scored(0, 0, 10)
    traffic.label(1, 3)
    Ingest(broker, s3_settings, traffic.schema, store=store).run_until_caught_up()
    assert store.puts == [False, False]
    assert event_ids(s3_settings, stream, "labels") == [event_id(1, 3)]


def test_nothing_is_committed_while_a_rejected_message_is_not_safe_in_quarantine(broker, s3_settings, traffic, stream):
    producer = FailingProducer(broker)
    traffic.label(0, 0)
    traffic.raw_label(0, b"{")
    ingest = Ingest(broker, s3_settings, traffic.schema, producer=producer, limits=PATIENT)
    assigned(ingest)
    take(ingest, traffic.labels)
    with pytest.raises(TransientError):
        ingest.handler.drain()
    assert event_ids(s3_settings, stream, "labels") == []
    assert ingest.handler.durable_offsets()[TopicPartition(traffic.labels, 0)] == 0

    producer.broken = False
    ingest.handler.drain()
    assert event_ids(s3_settings, stream, "labels") == [event_id(0, 0)]
    assert read_quarantined(broker.records(f"{stream}.quarantine")[-1]).record.value == b"{"
    assert ingest.handler.durable_offsets()[TopicPartition(traffic.labels, 0)] == 2


def test_messages_that_expired_before_they_were_read_stop_it_loudly(broker, s3_settings, traffic, stream):
    for n in range(3):
        traffic.label(0, n)
    Ingest(broker, s3_settings, traffic.schema).run_until_caught_up()
    for n in range(3, 9):
        traffic.label(0, n)
    broker.expire(TopicPartition(traffic.labels, 0), 5)
    with pytest.raises(GapError, match=r"messages 3 to 4 expired before they were read"):
        Ingest(broker, s3_settings, traffic.schema).run_until_it_fails()
    assert event_ids(s3_settings, stream, "labels") == [event_id(0, n) for n in range(3)]


def test_a_fenced_flush_keeps_what_is_its_own_and_leaves_out_what_a_peer_has_stored(broker, s3_settings, traffic, stream):
    for partition in (0, 1):
        traffic.label(partition, 0)
        traffic.raw_label(partition, b"{")
    twin = Ingest(broker, s3_settings, traffic.schema, limits=PATIENT)
    lost = []
    twin.worker.reseek = lost.append
    assigned(twin)
    take(twin, traffic.labels)
    traffic.label(0, 1)  # which the peer has in one file with what the twin has, too: the same bytes would be the same file
    peer = Ingest(broker, s3_settings, traffic.schema, limits=PATIENT)
    peer.handler.starting_offsets(frozenset({TopicPartition(traffic.labels, 0)}))
    peer.handler.on_records(TopicPartition(traffic.labels, 0), [r for r in broker.records(traffic.labels) if r.partition == 0])
    peer.handler.drain()

    twin.handler.drain()

    assert lost == [frozenset({TopicPartition(traffic.labels, 0)})]
    assert event_ids(s3_settings, stream, "labels") == sorted([event_id(0, 0), event_id(0, 1), event_id(1, 0)])
    table = LakeTable.open(s3_settings, stream, "labels")
    moves = [move for version in range(1, table.version + 1) for move in table.note(version).moves]
    named = [(move.partition, offset) for move in moves for span in move.quarantined for offset in range(span.start, span.end)]
    assert sorted(named) == [(0, 1), (1, 1)]
    assert TopicPartition(traffic.labels, 0) not in twin.handler.durable_offsets()
