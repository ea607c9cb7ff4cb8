"""Requests to inferences through a predictor process, on the real broker and store."""

from datetime import timedelta

import httpx
import pyarrow as pa
from tests.integration.predictor.harness import World, eventually, watermarks
from tests.unit.predictor.samples import START, request, request_json, store_sample_model

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, watermark_header
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import request_schema


def accounted(stream: World, n: int) -> bool:
    return sum(stream.account().next_offsets.values()) >= n


def test_traffic_without_a_model_is_recorded_with_null_scores_and_scored_once_there_is_one(stream: World) -> None:
    with stream.predictor() as predictor:
        assert predictor.http.get("/ping").status_code == 503
        stream.send([request_json(n) for n in range(40)])
        eventually("40 requests accounted for", lambda: accounted(stream, 40))
        assert stream.account().rows.column("score").null_count == 40

        manifest = store_sample_model(stream.store, stream.project)
        stream.add_version(manifest)
        stream.promote(1)
        eventually("the model to be taken up", lambda: predictor.status()["alias_epoch"] == 1)
        stream.send([request_json(n) for n in range(40, 80)])
        eventually("80 requests accounted for", lambda: accounted(stream, 80))

        rows = stream.account().rows
        assert rows.filter(pa.compute.is_valid(rows["score"])).column("model_version").unique().to_pylist() == [1]
        assert sorted(rows.column("event_id").to_pylist()) == sorted(f"e{n}" for n in range(80))
        status = predictor.status()
        assert status["champion_version"] == 1
        assert status["model_digest"] == manifest
        assert status["partitions"] == {str(p): 20 for p in range(4)}


def test_a_process_that_never_had_a_model_loads_the_champion_before_it_takes_traffic(stream: World) -> None:
    stream.add_version(store_sample_model(stream.store, stream.project))
    stream.promote(1)
    stream.send([request_json(n) for n in range(400)])
    with stream.predictor():
        eventually("400 requests accounted for", lambda: accounted(stream, 400))
        assert stream.account().rows.column("model_version").to_pylist() == [1] * 400


def test_arrow_batches_and_watermarks_keep_their_place(stream: World) -> None:
    with stream.predictor():
        batch = pa.Table.from_pylist(
            [request(n) | {"event_time": START + timedelta(seconds=n)} for n in range(300)], schema=request_schema(stream.project.schema)
        )
        stream.send([encode_table(batch)], partition=1, headers=((CONTENT_TYPE, ARROW.encode()),))
        stream.send([request_json(n) for n in range(300, 310)], partition=1)
        stream.send([None], partition=1, headers=(watermark_header(START + timedelta(days=1)),))
        stream.send([request_json(400)], partition=1)
        eventually("13 messages accounted for", lambda: accounted(stream, 13))

        records = [r for r in stream.inferences() if r.partition == 1]
        assert watermarks(records) == {1: [START + timedelta(days=1)]}
        marked = next(i for i, r in enumerate(records) if watermarks([r]))
        before = stream.account().rows.column("request_offset").to_pylist()
        assert before == [0] * 300 + [*range(1, 11), 12]
        assert marked < len(records) - 1 or records[marked].offset == records[-1].offset


def test_an_idle_partition_gets_a_watermark_and_one_with_unread_requests_does_not(stream: World) -> None:
    with stream.predictor(IDLE_SECONDS="2"):
        stream.send([request_json(n) for n in range(100)], partition=0)
        expected = START + timedelta(seconds=99) - timedelta(seconds=10)
        found = eventually("watermarks on all partitions", lambda: len(marks := watermarks(stream.inferences())) == 4 and marks)
        assert found == {p: [expected] for p in range(4)}


def test_http_rows_are_scored_and_recorded_without_a_range(stream: World) -> None:
    manifest = store_sample_model(stream.store, stream.project)
    stream.add_version(manifest)
    stream.promote(1)
    with stream.predictor() as predictor:
        eventually("the model", lambda: predictor.http.get("/ping").status_code == 200)
        answer = predictor.http.post("/invocations?durable=1", json={"instances": [request(1), request(2)]})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["event_ids"] == ["e1", "e2"]
        assert (body["version"], body["digest"]) == (1, manifest)
        rows = stream.account().rows
        assert sorted(rows.column("event_id").to_pylist()) == ["e1", "e2"]
        assert rows.column("request_offset").null_count == 2
        assert sorted(rows.column("score").to_pylist()) == sorted(body["scores"])

        metrics = httpx.get(f"{predictor.url}/metrics").text
        assert "driftloop_scoring_seconds_count" in metrics
