"""Every decoder of messages that others may have written, in one shape: a record in, something out or InvalidMessage.

``test_decoders`` throws any bytes at each of them. ``of`` names the functions of the program that it stands for, those that
make values of bytes; ``tests/architecture/test_decoders`` finds one that is in no line.
"""

from collections.abc import Callable
from datetime import UTC, timedelta
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import pyarrow as pa
from tests.unit.rows.existing.samples import STREAM as SHOP
from tests.unit.rows.existing.samples import Registry
from tests.unit.rows.existing.samples import mapping as their_mapping
from tests.unit.rows.existing.samples import registry as their_registry
from tests.unit.rows.strangers import SCHEMA, SEVERAL

from driftloop.contracts.answers import Answers
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import DecisionMade
from driftloop.contracts.existing_topics import Source, TopicMapping
from driftloop.contracts.headers import request_position, watermark
from driftloop.contracts.redrives import redrive_of
from driftloop.errors import InvalidMessage
from driftloop.history.decisions import Decisions
from driftloop.history.registry_follower import after_record
from driftloop.ports import Record, Schema
from driftloop.redrive.original import id_of, original
from driftloop.registry.state import RegistryState
from driftloop.rows.answers import AnswerReader
from driftloop.rows.existing.labels import ExistingLabels
from driftloop.rows.existing.requests import ExistingRequests
from driftloop.rows.inferences import InferenceDecoder, accounted_range, claimed_range
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.probabilities import matrix
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import inference_schema, label_schema, request_schema
from driftloop.service.quarantine import quarantine_message, read_quarantined
from driftloop_ingest.shadow.progress import decode_progress
from driftloop_monitor.partition_runner import _written
from driftloop_predictor.capture_lines import read_call
from driftloop_predictor.captured import CaptureReader
from driftloop_predictor.invocations import read_rows
from driftloop_predictor.progress import newest_in

STORED = pa.schema([*inference_schema(SCHEMA), pa.field("extra", pa.int64()), pa.field("amount__category", pa.string())])
STORED_OF_SEVERAL = inference_schema(SEVERAL)
OWN: dict[str, pa.Schema] = {"requests": request_schema(SCHEMA), "labels": label_schema(SCHEMA), "inferences": inference_schema(SCHEMA)}


class Decoder(NamedTuple):
    """``decode`` returns, or raises InvalidMessage. ``of``: functions by module and name."""

    decode: Callable[[Record], None]
    of: tuple[str, ...] = ()


def requests(record: Record) -> None:
    assert RequestDecoder(SCHEMA).decode(record).rows.schema.equals(OWN["requests"])


def requests_in_a_batch(record: Record) -> None:
    """With a sound neighbour, whatever the message is."""
    found = RequestDecoder(SCHEMA).decode_batch([record.value, record.value], [record.key, None])
    assert found.rows.schema.equals(OWN["requests"])
    assert sorted([*found.accepted, *(i for i, _ in found.rejected)]) == [0, 1]


def requests_by_http(record: Record) -> None:
    assert read_rows(record.value or b"", RequestDecoder(SCHEMA, generated=lambda: "id")).schema.equals(OWN["requests"])


def answers_elsewhere(record: Record) -> None:
    """In a request, on a topic of their own, or nowhere."""
    found = ANSWERS.read(record.value)
    assert isinstance(found.prediction, bool)


def captured_calls(record: Record) -> None:
    """One line of a log, and a body of them: no body is refused for its lines."""
    CAPTURES.read(record.value or b"", "v1")
    read_call(record.value or b"", SCHEMA)


def labels(record: Record) -> None:
    assert LabelDecoder(SCHEMA).decode(record).schema.equals(OWN["labels"])


def labels_in_a_batch(record: Record) -> None:
    found = LabelDecoder(SCHEMA).decode_batch([record, record])
    assert found.rows.schema.equals(OWN["labels"])
    assert len(found.offsets) == found.rows.num_rows


def stored_inferences(record: Record) -> None:
    rows = InferenceDecoder(SCHEMA, STORED).decode(record).rows
    assert rows is None or rows.schema.equals(STORED)


def inferences(record: Record) -> None:
    rows = InferenceDecoder(SCHEMA).decode(record).rows
    assert rows is None or set(rows.schema.names) >= {"event_time", "request_offset"}


def stored_inferences_of_several_classes(record: Record) -> None:
    rows = InferenceDecoder(SEVERAL, STORED_OF_SEVERAL).decode(record).rows
    assert rows is None or rows.schema.equals(STORED_OF_SEVERAL)
    if rows is not None and rows.num_rows - rows.column("probabilities").null_count:
        assert matrix(rows.column("probabilities").drop_null()) is not None


def inferences_of_several_classes(record: Record) -> None:
    rows = InferenceDecoder(SEVERAL).decode(record).rows
    assert rows is None or set(rows.schema.names) >= {"event_time", "request_offset"}


def said(record: Record) -> None:
    decode_progress(record.value or b"")


def progress(record: Record) -> None:
    """Of this and of no message does anybody reject anything: it says how far the stream has come, or nothing."""
    for ahead in (timedelta(hours=1), None):
        found = newest_in(record, ahead)
        assert found is None or None not in found


def headers(record: Record) -> None:
    accounted_range(record)  # of a message that is rejected: says what it can, and refuses nothing
    for read in (claimed_range, lambda r: request_position(r.headers), lambda r: watermark(r.headers)):
        try:
            read(record)
        except InvalidMessage:
            continue


def events(record: Record) -> None:
    event, about = decode_event(record.value, record.headers)
    assert about.type == event.TYPE


def decisions(record: Record) -> None:
    """What a policy goes on from is inside an event, and as foreign as the event."""
    event, about = decode_event(record.value, record.headers)
    if isinstance(event, DecisionMade):
        Decisions().add(event, about)


def commands(record: Record) -> None:
    """The registry's log goes on behind any record."""
    assert after_record(RegistryState(), record).next_offset == record.offset + 1


def times_of_messages(record: Record) -> None:
    """A producer may say any, where the broker lets it."""
    found = _written(SimpleNamespace(timestamp=record.timestamp_ms / 1000))  # type: ignore[arg-type] # what is used of faust's message
    assert found.tzinfo is UTC


def rejected_messages(record: Record) -> None:
    """Whoever writes to ``quarantine``, and whatever is sent there: a rejected message comes back as it was."""
    read_quarantined(record)
    value, key, headers = quarantine_message("s.quarantine", record, "why", NO_STORE)
    found = read_quarantined(record._replace(value=value, key=key, headers=headers))
    assert (found.record, found.reason, found.stored) == (record, "why", None)
    row = original(record, found, id_of(found)).row
    assert row is None or isinstance(row, dict)
    redrive_of(record.headers)


class _NoStore:
    """No message of these is too large for the topic."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the store is asked for {name}")


NO_STORE = _NoStore()
ANSWERS = AnswerReader(SCHEMA, Answers(score="answer.p", version="model"))
CAPTURES = CaptureReader(SCHEMA, Answers())
_JSON, _ARROW = "driftloop.rows.json_objects:", "driftloop.rows.arrow_stream:"
_HEADERS = "driftloop.contracts.headers:"

THEIRS = {each: ExistingRequests(SHOP, their_mapping(each), their_registry()) for each in ("json", "json-schema", "avro")}
THEIR_LABELS = ExistingLabels(
    SHOP,
    TopicMapping(topic="o", format="json", columns={n: Source(path=n) for n in ("event_id", "event_time", "label", "label_time")}),
    None,
)
IN_PROTOBUF = Registry()
IN_PROTOBUF.schemas[7] = Schema(7, "PROTOBUF", 'syntax = "proto3"; message M { int64 id = 1; double at = 2; }')
THEIRS_IN_PROTOBUF = ExistingRequests(
    msgspec.structs.replace(SHOP, features=()),
    TopicMapping(
        topic="o", format="protobuf", columns={"event_id": Source(path="id"), "event_time": Source(path="at", time_format="unix")}
    ),
    IN_PROTOBUF,
)


def existing_requests(record: Record) -> None:
    """In each format as the bytes are, and behind what a serializer writes before them."""
    value = record.value or b""
    for decoder in (*THEIRS.values(), THEIRS_IN_PROTOBUF):
        for data in (value, b"\0\0\0\0\7" + value, b"\0\0\0\0\7\0" + value):
            one, other = record._replace(value=data), record._replace(value=data, key=None)
            found = decoder.decode_records([one, other])
            assert found.rows.schema.equals(decoder.schema)
            assert sorted([*found.accepted, *(i for i, _ in found.rejected)]) == [0, 1]
    THEIRS["json"].decode(record)


def existing_labels(record: Record) -> None:
    found = THEIR_LABELS.decode_batch([record, record])
    assert len(found.offsets) == found.rows.num_rows
    THEIR_LABELS.decode(record)


DECODERS: dict[str, Decoder] = {
    "requests": Decoder(requests, (f"{_JSON}JsonObjects.__init__", f"{_ARROW}schema_in", f"{_ARROW}decode_table")),
    "requests in a batch": Decoder(requests_in_a_batch),
    "answers of another system": Decoder(answers_elsewhere),
    "captured calls": Decoder(
        captured_calls,
        ("driftloop_predictor.capture_lines:", "driftloop_predictor.capture_lines:_of_ms", "driftloop_predictor.capture_lines:_cell"),
    ),
    "requests by HTTP": Decoder(requests_by_http, ("driftloop_predictor.invocations:",)),
    "labels": Decoder(labels, ("driftloop.rows.labels:_sent",)),
    "labels in a batch": Decoder(labels_in_a_batch),
    "somebody else's requests": Decoder(existing_requests, ("driftloop.rows.existing.json_values:JsonValues.__init__",)),
    "somebody else's labels": Decoder(existing_labels),
    "stored inferences": Decoder(stored_inferences),
    "inferences": Decoder(inferences),
    "stored inferences of several classes": Decoder(stored_inferences_of_several_classes),
    "inferences of several classes": Decoder(inferences_of_several_classes),
    "progress": Decoder(progress),
    "what a challenger's process says": Decoder(said, ("driftloop_ingest.shadow.progress:decode_progress",)),
    "headers": Decoder(headers, (f"{_HEADERS}parse_time", f"{_HEADERS}request_range", f"{_HEADERS}request_position")),
    "events": Decoder(events, ("driftloop.contracts.codec:decode_event", "driftloop.contracts.foreign_json:decoded")),
    "decisions": Decoder(decisions, ("driftloop.history.decisions:_check_evidence",)),
    "commands": Decoder(commands, ("driftloop.registry.log_record:fold_record",)),
    "times of messages": Decoder(times_of_messages, ("driftloop_monitor.partition_runner:_written",)),
    "rejected messages": Decoder(
        rejected_messages,
        (
            "driftloop.service.quarantine:_stored",
            "driftloop.contracts.redrives:redrive_of",
            "driftloop.redrive.original:Original.row",
        ),
    ),
}
