"""POST /captured: the logs of SageMaker and of MLflow on Databricks become rows with answers, and what does not is said by line."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.predictor.samples import sample_project

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.answers import Answers
from driftloop.contracts.topics import inferences
from driftloop.errors import InvalidMessage, TransientError
from driftloop.rows.arrow_stream import decode_table
from driftloop.rows.schemas import inference_schema
from driftloop.service.http_server import HttpServer
from driftloop_predictor.capture_lines import read_call
from driftloop_predictor.captured import CaptureReader
from driftloop_predictor.http import Edge, Watched, build_app
from driftloop_predictor.recorder import Recorder
from driftloop_predictor.watching import Watching

PROJECT = sample_project("web")
TOPIC = inferences("web")
ROW = {"distance": 3.5, "stops": 1, "night": True, "carrier": "A", "note": None}
LINES = {"content-type": "application/x-ndjson"}


def sagemaker(asked: str, answered: str, *, encoding: str = "JSON", **about: str) -> dict[str, Any]:
    kind = "text/csv" if encoding == "CSV" else "application/json"

    def payload(text: str, mode: str) -> dict[str, str]:
        return {"observedContentType": kind, "mode": mode, "data": text, "encoding": encoding}

    return {
        "captureData": {"endpointInput": payload(asked, "INPUT"), "endpointOutput": payload(answered, "OUTPUT")},
        "eventMetadata": {"eventId": "s1", "inferenceTime": "2026-03-01T00:00:05Z"} | about,
        "eventVersion": "0",
    }


def inference_table(request: Any, response: Any, **more: Any) -> dict[str, Any]:
    line = {"databricks_request_id": "d1", "status_code": 200, "timestamp_ms": 1_772_323_200_000, "execution_time_ms": 3}
    return line | {"request": json.dumps(request), "response": json.dumps(response)} | more


def read(*lines: dict[str, Any], version: str | None = None) -> Any:
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    return CaptureReader(PROJECT.schema, Answers()).read(body, version)


def test_csv_is_read_in_the_order_of_the_features() -> None:
    found = read(sagemaker("3.5,1,true,A,\n4,0,0,B,x\n", "0.25\n0.75\n", encoding="CSV"), version="blue")
    rows = found.rows.to_pylist()
    assert [(r["event_id"], r["distance"], r["stops"], r["night"], r["carrier"], r["note"]) for r in rows] == [
        ("s1-0", 3.5, 1, True, "A", None),
        ("s1-1", 4.0, 0, False, "B", "x"),
    ]
    assert [(a.prediction, a.score, a.served_as) for a in found.answers] == [(False, 0.25, "blue"), (True, 0.75, "blue")]


def test_base64_is_what_sagemaker_writes_unless_it_is_told_otherwise() -> None:
    line = sagemaker(json.dumps(ROW), "[0.5]", inferenceId="mine")
    for side in line["captureData"].values():
        side["data"], side["encoding"] = base64.b64encode(side["data"].encode()).decode(), "BASE64"
    found = read(line)
    assert (found.rows.column("event_id").to_pylist(), found.answers[0].score) == (["mine"], 0.5)


def test_an_inference_table_says_who_answered_and_an_object_is_an_answer_with_its_names() -> None:
    split = {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())] * 2}}
    response = {"predictions": [{"prediction": True, "score": 0.9}, 0]}
    found = read(inference_table(split, response, client_request_id="c1", request_metadata={"model_version": "12"}))
    assert found.rows.column("event_id").to_pylist() == ["c1-0", "c1-1"]
    assert [(a.prediction, a.score, a.served_as) for a in found.answers] == [(True, 0.9, "12"), (False, None, "12")]


def test_a_row_names_its_own_event() -> None:
    row = ROW | {"event_id": "e7", "event_time": "2026-03-01T08:00:00Z", "entity": "k1"}
    found = read(inference_table({"dataframe_records": [row]}, {"predictions": [0.5]}, request_time="2026-03-01T09:00:00Z"))
    assert found.rows.select(["event_id", "entity"]).to_pylist() == [{"event_id": "e7", "entity": "k1"}]
    assert found.rows.column("event_time")[0].as_py().hour == 8


def test_calls_that_were_answered_with_an_error_are_counted_and_passed_over() -> None:
    assert read(inference_table({}, {"error": "no"}, status_code=500)).failed == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({}, "neither a line of SageMaker's data capture"),
        ({"captureData": {}}, "capture both input and output"),
        (sagemaker(json.dumps(ROW), "[0.5, 0.5]"), "the request has 1 rows, and the response 2 predictions"),
        (sagemaker("1,2", "0.5", encoding="CSV"), "2 cells for the project's 5 features"),
        (sagemaker("far,1,true,A,", "0.5", encoding="CSV"), "field 'distance': expected a number or null, got a string"),
        (sagemaker(json.dumps(ROW), "[0.5]", encoding="ROT13"), "encoding 'ROT13'"),
        (sagemaker("!", "!", encoding="BASE64"), "no text in BASE64"),
        (sagemaker(json.dumps(ROW), "[0.5]", inferenceTime="yesterday"), "not an RFC 3339 time"),
        (sagemaker("[1, 2]", "[0.5]"), "or one JSON object"),
        (sagemaker(json.dumps(ROW), "3"), "neither a list nor has it predictions"),
        (sagemaker(json.dumps(ROW), '["yes"]'), "'yes' is none of late, which is a boolean"),
        (sagemaker(json.dumps(ROW), "[7]"), "7 is no probability"),
        (sagemaker(json.dumps(ROW), "[null]"), "the answer is missing"),
        (inference_table(ROW, [0.5], timestamp_ms=10**18), "outside of the calendar"),
        (inference_table(ROW, [0.5], timestamp_ms=None), "has timestamp_ms or request_time"),
        (inference_table({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, [0.5]), "the request is none of"),
    ],
)
def test_a_line_that_is_none_is_named_with_its_number_and_costs_no_other(line: dict[str, Any], reason: str) -> None:
    found = read(inference_table(ROW, [0.5]), line)
    assert found.rows.num_rows == len(found.answers) == 1
    assert [number for number, _ in found.rejected] == [2]
    assert reason in found.rejected[0][1]


def test_a_version_that_the_registry_would_not_take_costs_its_own_line() -> None:
    """Else every call that holds it waits for a number that it never gets."""
    good = inference_table(ROW, [0.5], request_metadata={"model_version": "12", "else": None})
    for name in ("x" * 201, "a\nb"):
        found = read(inference_table(ROW, [0.5], request_metadata={"model_version": name}), good)
        assert [line for line, _ in found.rejected] == [1]
        assert [answer.served_as for answer in found.answers] == ["12"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (sagemaker(f"3.5,1,true,{'A' * 140_000},", "0.5", encoding="CSV"), "the captured data are no CSV: field larger than field limit"),
        (sagemaker("3.5,1,true,A,\r4,1,true,A,\r", "0.5", encoding="CSV"), "the captured data are no CSV: new-line character"),
        (sagemaker("3.5,1,true,A,", "0.5\r0.6", encoding="CSV"), "the captured data are no CSV: new-line character"),
        (sagemaker("-inf,1,true,A,", "0.5", encoding="CSV"), "field 'distance': expected a number or null, got a string"),
        (
            inference_table({"dataframe_split": {"columns": [*ROW, "stops"], "data": [[*ROW.values(), 7]]}}, [0.5]),
            "dataframe_split names a column twice",
        ),
    ],
)
def test_what_cannot_be_one_row_costs_its_own_line(line: dict[str, Any], said: str) -> None:
    found = read(line, inference_table(ROW, [0.5]))
    assert [row["event_id"] for row in found.rows.to_pylist()] == ["d1"]
    [(number, reason)] = found.rejected
    assert (number, reason[: len(said)]) == (1, said)


@pytest.mark.parametrize("line", [b"{", b'{"captureData": 1}', b'{"databricks_request_id": "\xff"}', b"[" * 5000, b"null"])
def test_strangers_bytes_are_refused(line: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read_call(line, PROJECT.schema)


class Answering:
    """Who answers, as a test says."""

    def __init__(self, now: Any) -> None:
        self.answer, self.told = now, set[str]()

    def now(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def make_known(self, names: set[str]) -> None:
        self.told |= names


@pytest.fixture
def answering() -> Answering:
    return Answering(Watching(CaptureReader, {"12": 3}, full=False))  # type: ignore[arg-type]  # the source is the requests', not asked here


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.create_topic(TOPIC, 4)
    return made


@pytest.fixture
def client(answering: Answering, broker: MemoryBroker) -> Iterator[httpx.Client]:
    recorder = Recorder(TOPIC, connect=broker.producer, partitions=lambda: 4).start()
    edge = Edge(max_body_bytes=64 * 1024)
    edge.open(PROJECT.schema, new_id=lambda: "generated", serving=lambda: None, recorder=recorder)
    edge.watched = Watched(CaptureReader(PROJECT.schema, Answers()), answering)  # type: ignore[arg-type]
    server = HttpServer(build_app(edge), "127.0.0.1", 0, setting="PORT").start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE_SECONDS) as made:
        yield made
    server.stop()
    recorder.stop(PATIENCE_SECONDS)


BODY = json.dumps(inference_table(ROW, [0.5], request_metadata={"model_version": "12"})).encode() + b"\n{\n"


def test_what_is_answered_for_is_recorded_and_the_rest_is_told(client: httpx.Client, broker: MemoryBroker) -> None:
    said = client.post("/captured", content=BODY, headers=LINES)
    assert (said.status_code, said.json()["recorded"], said.json()["rejected"]) == (200, 1, 1)
    assert said.json()["reasons"][0]["line"] == 2
    rows = [row for r in broker.records(TOPIC) for row in decode_table(r.value, inference_schema(PROJECT.schema)).to_pylist()]
    assert [(row["event_id"], row["model_version"], row["score"], row["request_offset"]) for row in rows] == [("d1", 3, 0.5, None)]


def test_a_version_that_is_not_known_is_told_and_the_call_repeated(client: httpx.Client, answering: Answering) -> None:
    said = client.post("/captured?version=13", content=json.dumps(inference_table(ROW, [0.5])), headers=LINES)
    assert (said.status_code, answering.told) == (503, {"13"})


def test_while_ours_answers_or_nobody_knows_nothing_is_recorded(client: httpx.Client, answering: Answering, broker: MemoryBroker) -> None:
    for answer, status in ((None, 409), (TransientError("the registry log has not been read"), 503)):
        answering.answer = answer
        assert client.post("/captured", content=BODY, headers=LINES).status_code == status
    assert broker.records(TOPIC) == []


def test_calls_of_browsers_and_large_ones_are_refused(client: httpx.Client) -> None:
    assert client.post("/captured", content=BODY, headers={"content-type": "text/plain"}).status_code == 415
    assert client.post("/captured", content=b" " * 65_537, headers=LINES).status_code == 413
