"""A small stream as its writers would fill it: inferences with request ranges, labels, watermarks."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, JSON, RequestRange, format_time, range_header, watermark_header
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.ports import MessageProducer
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import inference_schema

START = datetime(2024, 3, 1, tzinfo=UTC)


def small_schema(stream: str) -> StreamSchema:
    features = (Feature(name="amount", type="number"), Feature(name="kind", type="category"), Feature(name="night", type="boolean"))
    return StreamSchema(stream=stream, features=features, target=Target(name="late", type="boolean"))


def several_schema(stream: str) -> StreamSchema:
    """The same with a target of several classes."""
    return msgspec.structs.replace(small_schema(stream), target=Target(name="fruit", type="category"))


def event_time(n: int) -> datetime:
    """One event per second."""
    return START + timedelta(seconds=n)


def event_id(partition: int, n: int) -> str:
    return f"e{partition}-{n}"


def inference_rows(
    schema: StreamSchema, partition: int, start: int, end: int, *, skipped: tuple[int, ...] = (), http: bool = False
) -> pa.Table:
    """Rows for the request offsets ``[start, end)``; the n-th event of a partition is the request at offset n."""
    kept = [n for n in range(start, end) if n not in skipped]
    times = [event_time(n) for n in kept]
    columns = {
        "event_id": [event_id(partition, n) for n in kept],
        "event_time": times,
        "entity": [f"entity-{n % 7}" for n in kept],
        "amount": [n / 3 for n in kept],
        "kind": [None if n % 5 == 0 else f"k{n % 3}" for n in kept],
        "night": [n % 2 == 0 for n in kept],
        "prediction": [None] * len(kept),
        "score": [None] * len(kept),
        "model_version": [None] * len(kept),
        "scored_at": times,
        "request_offset": [None if http else n for n in kept],
        "recalibration_epoch": [None] * len(kept),
        "version_rule": [None] * len(kept),
        "probabilities": [None] * len(kept),
    }
    wanted = inference_schema(schema)
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in wanted}, schema=wanted)


class Traffic:
    """Writes to one stream's topics. ``requests_id`` is the id of the request topic that the ranges name: of
    requests that are there, or as of a topic that is no more, whose ranges are believed."""

    def __init__(self, producer: MessageProducer, stream: str, requests_id: str = "requests-id") -> None:
        self.schema = small_schema(stream)
        self.inferences, self.labels = f"{stream}.inferences", f"{stream}.labels"
        self._producer, self._requests_id = producer, requests_id

    def scored(self, partition: int, start: int, end: int, *, quarantined: tuple[int, ...] = (), value: bytes | None = None) -> None:
        """One message that accounts for the requests ``[start, end)``."""
        claimed = RequestRange(topic_id=self._requests_id, partition=partition, start=start, end=end, quarantined=quarantined)
        body = encode_table(inference_rows(self.schema, partition, start, end, skipped=quarantined)) if value is None else value
        headers = ((CONTENT_TYPE, ARROW.encode()), range_header(claimed))
        self._producer.send(self.inferences, body, partition=partition, headers=headers)

    def scored_by_http(self, partition: int, start: int, end: int) -> None:
        body = encode_table(inference_rows(self.schema, partition, start, end, http=True))
        self._producer.send(self.inferences, body, partition=partition, headers=((CONTENT_TYPE, ARROW.encode()),))

    def label(self, partition: int, n: int, *, value: bool = True, known: datetime | None = None) -> None:
        body = {"event_id": event_id(partition, n), "event_time": format_time(event_time(n)), "label": value}
        body["label_time"] = format_time(known or event_time(n) + timedelta(minutes=5))
        self.raw_label(partition, json.dumps(body).encode())

    def raw_label(self, partition: int, value: bytes | None, *, key: bytes | None = b"key", content_type: str = JSON) -> None:
        self._producer.send(self.labels, value, key=key, partition=partition, headers=((CONTENT_TYPE, content_type.encode()),))

    def promise(self, topic: str, partition: int, mark: datetime) -> None:
        self._producer.send(topic, None, partition=partition, headers=(watermark_header(mark),))
