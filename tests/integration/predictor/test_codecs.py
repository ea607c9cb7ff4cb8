"""Requests that applications compress, also on a topic of before, on which the broker keeps them so."""

from tests.integration.predictor.harness import World, eventually
from tests.support.clients import alter_topic
from tests.support.foreign import CODECS, send_batch
from tests.unit.predictor.samples import request_json

from driftloop.contracts.topics import requests


def test_requests_of_every_codec_are_scored_whether_or_not_the_broker_inflates_them(stream: World) -> None:
    topic = requests(stream.name)
    with stream.predictor() as predictor:
        for n, codec in enumerate(CODECS):
            send_batch(stream.bootstrap, topic, [request_json(100 * n + i) for i in range(100)], codec=codec)
        eventually("those that the broker inflated", lambda: stream.account().next_offsets.get(0) == 400)
        predictor.wait_for_requests()
        alter_topic(stream.bootstrap, topic, compression_type="producer")
        for n, codec in enumerate(CODECS):
            send_batch(stream.bootstrap, topic, [request_json(1000 + 100 * n + i) for i in range(100)], codec=codec)
        eventually("those that it did not", lambda: stream.account().next_offsets.get(0) == 800)
        assert stream.account().rows.num_rows == 800
        assert predictor.process is not None
        assert predictor.process.poll() is None


def test_a_bomb_is_quarantined_as_the_broker_has_it_and_the_next_request_is_scored(stream: World) -> None:
    topic = requests(stream.name)
    with stream.predictor() as predictor:
        predictor.wait_for_requests()
        alter_topic(stream.bootstrap, topic, compression_type="producer")
        send_batch(stream.bootstrap, topic, [b" " * 1_000_000] * 500, codec="gzip")
        send_batch(stream.bootstrap, topic, [request_json(1)])
        eventually("the request behind it", lambda: stream.account().next_offsets.get(0) == 501)
        assert stream.account().rows.num_rows == 1
        assert stream.account().quarantined == {(0, 0)}
        (bomb,) = stream.quarantined()
        assert "offsets 0 to 499, 500 records in the batch: inflates to more than" in bomb.reason
        assert bomb.record.value is not None
        assert len(bomb.record.value) < 1_000_000
        assert peak_mib(predictor.process.pid) < 600  # type: ignore[union-attr]


def peak_mib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))
