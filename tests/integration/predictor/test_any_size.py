"""Requests and labels of any size, and transactions of any length: accounted for, quarantined with their bytes, and nothing waits."""

from datetime import timedelta

from tests.integration.predictor.harness import World, eventually, watermarks
from tests.support.clients import abort_transaction, alter_topic
from tests.support.foreign import send_batch
from tests.unit.predictor.samples import START, request_json

from driftloop.contracts.topics import requests
from driftloop.service.quarantine import fetched

MIB = 1024 * 1024


def test_a_request_of_twelve_mebibytes_keeps_its_bytes_and_the_next_one_is_scored(stream: World) -> None:
    huge = request_json(1, note="x" * (12 * MIB), distance="far")
    valid = request_json(2, note="y" * (9 * MIB))  # its row is too large for a message
    with stream.predictor() as predictor:
        predictor.wait_for_requests()
        alter_topic(stream.bootstrap, requests(stream.name), compression_type="producer")  # a topic of before
        for value in (request_json(0), huge, valid, request_json(3)):
            send_batch(stream.bootstrap, requests(stream.name), [value], codec="gzip")
        eventually("all four", lambda: stream.account().next_offsets.get(0) == 4)
        assert stream.account().quarantined == {(0, 1), (0, 2)}
        assert stream.account().rows.column("event_id").to_pylist() == ["e0", "e3"]
        found = {q.offset: fetched(q, stream.store) for q in stream.quarantined()}
        assert {offset: q.record.value for offset, q in found.items()} == {1: huge, 2: valid}
        assert predictor.ready()


def test_aborted_transactions_of_any_length_leave_no_gap_and_no_partition_waiting(stream: World) -> None:
    topic = requests(stream.name)
    send_batch(stream.bootstrap, topic, [request_json(0)])
    abort_transaction(stream.bootstrap, topic, 120_000)
    with stream.predictor(IDLE_SECONDS="2"):
        eventually(
            "the watermark of the idle partition",
            lambda: watermarks(stream.inferences()).get(0) == [START - timedelta(seconds=10)],
        )
        assert stream.account().next_offsets[0] == 120_002  # the record, the aborted ones and their marker
        send_batch(stream.bootstrap, topic, [request_json(1)])
        eventually("the next request", lambda: stream.account().next_offsets[0] == 120_003)
        assert stream.account().rows.column("request_offset").to_pylist() == [0, 120_002]
