"""Requests of somebody else's in Avro beside our own in JSON, in one process, taking turns: decoded to rows, and all that the predictor
does with a batch, which is to decode, score and encode it."""

import io
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import fastavro
from threadpoolctl import threadpool_limits

from bench.figures import Aim, Figure, Limit
from bench.flights import as_json_rows
from bench.surroundings import Surroundings
from driftloop.contracts.existing_topics import Source, TopicMapping
from driftloop.ports import Record, Schema
from driftloop.rows.existing.requests import ExistingRequests
from driftloop.rows.requests import RequestDecoder, Requests
from driftloop_predictor.batches import BatchEncoder
from driftloop_predictor.buffer import Batch
from driftloop_predictor.serving import ScoringModel

ROWS, BATCH, TURNS = 20_000, 2_000, 5  # of a batch as the predictor cuts them
_AVRO = {"number": "double", "integer": "long", "boolean": "boolean", "category": "string", "datetime": "string"}
_TIME = {"type": "long", "logicalType": "timestamp-micros"}


class _Registry:
    def __init__(self, text: str) -> None:
        self._text = text

    def schema(self, id: int) -> Schema:
        return Schema(id, "AVRO", self._text)


def measure(around: Surroundings) -> list[Figure]:
    project = around.flights.project
    rows = around.flights.rows.slice(0, ROWS)
    kinds: list[tuple[str, Any]] = [("event_id", "string"), ("event_time", _TIME), ("entity", ["null", "string"])]
    kinds += [(feature.name, ["null", _AVRO[feature.type]]) for feature in project.schema.features]
    schema = {"type": "record", "name": "Flight", "fields": [{"name": name, "type": kind} for name, kind in kinds]}
    in_avro, in_json = _records(_as_avro(rows, schema)), _records(as_json_rows(rows))
    mapping = TopicMapping(topic="flights.v1", format="avro", columns={name: Source(path=name) for name, _ in kinds})
    ours, theirs = RequestDecoder(project.schema), ExistingRequests(project.schema, mapping, _Registry(json.dumps(schema)))
    assert theirs.decode_records(in_avro).rows.equals(ours.decode_records(in_json).rows)
    serving = ScoringModel("flights", 1, 1, "0" * 64, around.flights.scorer)
    now = datetime.now(UTC)

    def whole(decoder: Requests) -> Callable[[Sequence[Record]], Any]:
        encoder = BatchEncoder(project.schema, "id", None, decoder)
        return lambda records: encoder.account(_batch(records), records[0].offset, serving, now)

    ways = {"decoded": (theirs.decode_records, ours.decode_records), "scored": (whole(theirs), whole(ours))}
    figures = []
    for name, what, aim in (
        ("scored", "requests in Avro decoded, scored and encoded as the predictor does it", Aim(0.7, "at least", "ratio")),
        ("decoded", "requests in Avro decoded to rows", None),
    ):
        best = [0.0, 0.0]
        with threadpool_limits(1):
            for _ in range(TURNS):
                for i, (way, records) in enumerate(zip(ways[name], (in_avro, in_json), strict=True)):
                    best[i] = max(best[i], _rate(way, records))
        limit = Limit("the same rows in our own JSON", best[1])
        told = f"{what}, {len(kinds)} columns, {BATCH:,} at a time"
        figures.append(Figure(name=f"avro-{name}", what=told, value=best[0], unit="rows/s per core", limit=limit, aim=aim))
    return figures


def _batch(records: Sequence[Record]) -> Batch:
    made = Batch(0.0)
    made.records, made.rows = list(records), len(records)
    return made


def _as_avro(rows: Any, schema: Any) -> list[bytes]:
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema)))
    found = []
    for row in rows.to_pylist():
        out = io.BytesIO()
        out.write(b"\0\0\0\0\7")
        fastavro.schemaless_writer(out, parsed, row)
        found.append(out.getvalue())
    return found


def _records(values: Sequence[bytes]) -> list[Record]:
    return [Record("flights.v1", 0, offset, 0, None, value, ()) for offset, value in enumerate(values)]


def _rate(decode: Callable[[Sequence[Record]], Any], records: Sequence[Record]) -> float:
    began = time.process_time()
    for start in range(0, len(records), BATCH):
        decode(records[start : start + BATCH])
    return len(records) / (time.process_time() - began)
