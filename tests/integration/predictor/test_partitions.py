"""A stream that gets more partitions while its predictor works."""

from types import SimpleNamespace

from tests.integration.predictor.harness import World, eventually
from tests.unit.predictor.samples import request_json

from driftloop.adapters.kafka import KafkaTopics
from driftloop.client.partitions import grown


def test_requests_in_partitions_that_were_added_are_scored_once_like_all_others(stream: World) -> None:
    with stream.predictor() as predictor:
        stream.send([request_json(n) for n in range(100)])
        to = SimpleNamespace(kafka=stream.bootstrap, topics=KafkaTopics(stream.bootstrap, client_id="test"))
        grown(to, stream.name, 6)  # type: ignore[arg-type]
        stream.send([request_json(n) for n in range(100, 200)])
        for partition in (4, 5):
            stream.send([request_json(200 + 10 * partition + n) for n in range(10)], partition=partition)
        sent = {record.partition: record.offset + 1 for record in stream.sent()}
        assert set(sent) == set(range(6))
        eventually("all six partitions", lambda: stream.account().next_offsets == sent)
        assert sorted(stream.account().rows.column("event_id").to_pylist()) == sorted(
            f"e{n}" for n in (*range(200), *range(240, 250), *range(250, 260))
        )
        assert predictor.ready()
