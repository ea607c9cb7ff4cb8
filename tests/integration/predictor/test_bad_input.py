"""What strangers send to ``requests``: every message is scored or quarantined with its bytes, and nothing stops."""

import struct
from datetime import timedelta

import pyarrow as pa
from kafka import KafkaProducer
from tests.integration.predictor.harness import World, eventually
from tests.unit.predictor.samples import START, request, request_json, store_sample_model

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, WATERMARK
from driftloop.contracts.topics import requests
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import request_schema

ARROW_HEADER = ((CONTENT_TYPE, ARROW.encode()),)


def bomb(schema: pa.Schema) -> bytes:
    """A small message that says it decodes to 512 MiB."""
    n = 64 * 1024 * 1024
    zeros = pa.py_buffer(bytes(8 * n))
    table = pa.Table.from_arrays([pa.Array.from_buffers(pa.float64(), n, [None, zeros])], names=["distance"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write(table)
    data = sink.getvalue().to_pybytes()
    assert len(data) < 1_000_000
    return bytes(data)


def without(row: bytes, text: bytes, put: bytes) -> bytes:
    assert text in row
    return row.replace(text, put)


def test_each_kind_of_bad_message_is_quarantined_with_bytes_key_headers_origin_and_a_reason(stream: World) -> None:
    good, schema = request_json(0), request_schema(stream.project.schema)
    row = request(0) | {"event_time": START}
    other = pa.table({"event_id": ["a"], "event_time": pa.array([START], pa.timestamp("us", tz="UTC")), "height": [1.0]})
    nan = pa.Table.from_pylist([row | {"distance": float("nan")}], schema=schema)
    cases: list[tuple[bytes | None, tuple[tuple[str, bytes], ...], str]] = [
        (b"\xff\xfe{", (), "broken JSON"),
        (without(good, b'"A"', b'"\xff"'), (), "broken UTF-8"),
        (good[:-5], (), "broken JSON"),
        (b"", (), "broken JSON"),
        (b"[1, 2]", (), "expected a JSON object"),
        (request_json(0, distance="far"), (), "'distance': expected a number or null"),
        (request_json(0, stops=1.5), (), "'stops': expected a whole number"),
        (request_json(0, stops=2**63), (), "'stops'"),
        (request_json(0, night=1), (), "'night': expected true, false or null"),
        (request_json(0, carrier=7), (), "'carrier': expected a string"),
        (without(good, b'"carrier"', b'"carier"'), (), "required field missing: 'carrier'"),
        (without(good, b'"distance":0.0', b'"distance":NaN'), (), "broken JSON"),
        (without(good, b'"distance":0.0', b'"distance":-Infinity'), (), "broken JSON"),
        (without(good, b'"distance":0.0', b'"distance":1e999'), (), "'distance': number out of range"),
        (request_json(0, event_id=""), (), "'event_id'"),
        (request_json(0, event_id="é" * 300), (), "'event_id' is 600 bytes long"),
        (request_json(0, event_time="2026-03-01T00:00:00"), (), "'event_time'"),
        (without(good, b'"distance":0.0', b'"distance":' + b"[" * 1000 + b"]" * 1000), (), "'distance': expected a number"),
        (good[:-1] + b',"deep":' + b"[" * 1000 + b"]" * 1000 + b"}", (), "nested too deep"),
        (None, (), "null value"),
        (b'"' + b"x" * (4 * 1024 * 1024 - 1000) + b'"', (), "expected a JSON object"),
        (encode_table(other), ARROW_HEADER, "another Arrow schema"),
        (encode_table(nan), ARROW_HEADER, "'distance' holds NaN"),
        (encode_table(nan)[:200], ARROW_HEADER, "Arrow"),
        (struct.pack("<Ii", 0xFFFFFFFF, 2**31 - 1) + b"x" * 100, ARROW_HEADER, ""),
        (bomb(schema), ARROW_HEADER, "would decode to more than"),
        (good, ((WATERMARK, b"tomorrow"),), "driftloop-watermark"),
    ]
    headers = (("trace", b"\x00\xff"), ("trace", b"again"))
    with stream.predictor() as predictor:
        stream.send([request_json(n) for n in range(1, 9)], partition=0)
        for i, (value, ours, _) in enumerate(cases):
            stream.producer.send(requests(stream.name), value, key=None if i % 2 else b"\xffkey", partition=0, headers=headers + ours)
        stream.send([request_json(n) for n in range(100, 108)], partition=0)
        eventually("all of partition 0", lambda: stream.account().next_offsets.get(0) == 16 + len(cases))

        account, sent = stream.account(), [r for r in stream.sent() if r.partition == 0]
        assert account.quarantined == {(0, 8 + i) for i in range(len(cases))}
        assert account.rows.num_rows == 16
        found = {q.offset: q for q in stream.quarantined()}
        assert sorted(found) == [8 + i for i in range(len(cases))]
        for i, (_, _, reason) in enumerate(cases):
            q, original = found[8 + i], sent[8 + i]
            assert (q.record.value, q.record.key, q.record.headers) == (original.value, original.key, original.headers), reason
            assert (q.topic, q.partition) == (requests(stream.name), 0)
            assert reason in q.reason, (reason, q.reason)
        assert predictor.status()["last_error"] is None


def test_a_row_that_the_champion_cannot_score_costs_only_itself_and_is_counted(stream: World) -> None:
    stream.add_version(store_sample_model(stream.store, stream.project, unknown="error"))
    stream.promote(1)
    with stream.predictor() as predictor:
        eventually("the champion", lambda: predictor.status()["champion_version"] == 1)
        at = {5, 50, 51, 300, 777}
        stream.send([request_json(n, carrier="C" if n in at else "A") for n in range(1000)], partition=0)
        eventually("1000 requests", lambda: stream.account().next_offsets.get(0) == 1000)

        rows = stream.account().rows.select(["event_id", "score", "model_version"]).to_pylist()
        assert {row["event_id"] for row in rows if row["score"] is None} == {f"e{n}" for n in at}
        assert {row["model_version"] for row in rows} == {1}
        assert predictor.status()["unscored"]["rows"] == {"refused": 5}
        assert "Found unknown categories ['C']" in predictor.status()["unscored"]["last"]
        assert 'driftloop_unscored_rows_total{reason="refused"} 5.0' in predictor.http.get("/metrics").text


def test_unknown_fields_are_ignored_and_counted(stream: World) -> None:
    strangers = KafkaProducer(bootstrap_servers=stream.bootstrap)
    with stream.predictor() as predictor:
        strangers.send(requests(stream.name), value=request_json(1, colour="red", tags={"a": [1]}), partition=0)
        strangers.send(requests(stream.name), value=request_json(2), partition=0)
        strangers.flush()
        strangers.close()
        eventually("2 requests", lambda: stream.account().next_offsets.get(0) == 2)
        assert stream.account().rows.column("event_id").to_pylist() == ["e1", "e2"]
        metrics = predictor.http.get("/metrics").text
        assert f'driftloop_unknown_fields_total{{stream="{stream.name}"}} 1.0' in metrics


def test_a_message_just_under_the_size_limit_is_scored_and_rows_too_large_together_are_split(stream: World) -> None:
    note = "n" * (4 * 1024 * 1024 - 2000)
    with stream.predictor():
        stream.send([request_json(n, note=note) for n in range(3)], partition=0)
        wide = "w" * 40_000
        many = pa.Table.from_pylist(
            [request(n) | {"event_time": START + timedelta(seconds=n), "note": wide} for n in range(90)],
            schema=request_schema(stream.project.schema),
        )
        stream.send([encode_table(many)], partition=0, headers=ARROW_HEADER)
        stream.send([request_json(n, note=wide) for n in range(300)], partition=0)
        eventually("304 messages", lambda: stream.account().next_offsets.get(0) == 304)
        account = stream.account()
        assert account.quarantined == set()
        assert account.rows.num_rows == 3 + 90 + 300
        assert max(len(r.value or b"") for r in stream.inferences()) < 8 * 1024 * 1024
