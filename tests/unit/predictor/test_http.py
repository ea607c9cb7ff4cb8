"""POST /invocations as clients call it: forms, refusals with the field named, recording with and without waiting."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import msgspec
import pyarrow as pa
import pytest
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.predictor.samples import fitted, request, sample_project

from driftloop import metrics
from driftloop.adapters.memory import MemoryBroker
from driftloop.artifact.scoring import Scorer
from driftloop.contracts.topics import inferences
from driftloop.errors import TransientError
from driftloop.ports import MessageProducer
from driftloop.rows.arrow_stream import decode_table
from driftloop.rows.schemas import inference_schema
from driftloop.service.http_server import HttpServer
from driftloop_predictor import http
from driftloop_predictor import recorder as recorder_module
from driftloop_predictor.http import Edge, build_app
from driftloop_predictor.recorder import BufferFull, Recorder
from driftloop_predictor.serving import ScoringModel

PROJECT = sample_project("web")
TOPIC = inferences("web")
SERVING = ScoringModel("web", 7, 3, "a" * 64, Scorer(fitted(), PROJECT.schema))
MAX_BODY = 64 * 1024


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    made.create_topic(TOPIC, 4)
    return made


def recorder(connect: Callable[[], MessageProducer], max_rows: int = 10_000) -> Recorder:
    return Recorder(TOPIC, connect=connect, partitions=lambda: 4, max_rows=max_rows)


Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts the application on a port of its own and gives a client for it."""
    with ExitStack() as running:

        def started(record: Recorder, model: ScoringModel | None = SERVING) -> httpx.Client:
            edge = Edge(max_body_bytes=MAX_BODY)
            edge.open(PROJECT.schema, new_id=lambda: "generated", serving=lambda: model, recorder=record)
            server = HttpServer(build_app(edge), "127.0.0.1", 0, setting="PORT").start()
            running.callback(server.stop)
            return running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE_SECONDS))

        yield started


@pytest.fixture
def client(broker: MemoryBroker, serve: Serve) -> Iterator[httpx.Client]:
    record = recorder(broker.producer).start()
    yield serve(record)
    record.stop(5)


def recorded(broker: MemoryBroker) -> list[dict[str, object]]:
    return [row for r in broker.records(TOPIC) for row in decode_table(r.value, inference_schema(PROJECT.schema)).to_pylist()]


ROWS = [request(1), request(2, carrier=None)]
FORMS = {
    "instances": {"instances": ROWS},
    "dataframe_records": {"dataframe_records": ROWS},
    "dataframe_split": {"dataframe_split": {"index": [0, 1], "columns": list(ROWS[0]), "data": [list(r.values()) for r in ROWS]}},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_answer_with_its_provenance(client: httpx.Client, broker: MemoryBroker, form: str) -> None:
    answer = client.post("/invocations?durable=1", json=FORMS[form])
    assert answer.status_code == 200
    body = answer.json()
    assert {k: body[k] for k in ("model", "version", "digest", "event_ids")} == {
        "model": "web",
        "version": 7,
        "digest": "a" * 64,
        "event_ids": ["e1", "e2"],
    }
    rows = {row["event_id"]: row for row in recorded(broker)}
    assert [rows["e1"]["score"], rows["e2"]["score"]] == body["scores"]
    assert [score >= 0.5 for score in body["scores"]] == body["predictions"]
    assert rows["e2"]["model_version"] == 7
    assert rows["e2"]["request_offset"] is None


def test_id_time_and_entity_may_be_left_out(client: httpx.Client) -> None:
    row = {k: v for k, v in request(1).items() if k not in ("event_id", "event_time", "entity")}
    assert client.post("/invocations", json={"instances": [row]}).json()["event_ids"] == ["generated"]


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        (b"{", 400, "not readable"),
        (b"\xff", 400, "not readable"),
        (b"[]", 400, "not readable"),
        (b"{}", 400, "exactly one of the fields"),
        (msgspec.json.encode({"instances": [], "dataframe_records": []}), 400, "it has dataframe_records, instances"),
        (msgspec.json.encode({"instances": []}), 400, "'instances' has no rows"),
        (msgspec.json.encode({"instances": [request(0), request(1, distance="far")]}), 400, "instances, row 1: field 'distance'"),
        (b'{"instances": [{"distance": NaN}]}', 400, "not readable"),
        (msgspec.json.encode({"instances": [{"event_id": "a"}]}), 400, "required field missing: 'distance'"),
        (b'{"instances": [' + b"[" * 1000 + b"]" * 1000 + b"]}", 400, ""),
        (msgspec.json.encode({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}), 400, "named twice"),
        (msgspec.json.encode({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}), 400, "row 0: 2 values for 1 columns"),
        (msgspec.json.encode({"instances": [{}] * 1001}), 413, "1001 rows in one call; at most 1000"),
        (b" " * (MAX_BODY + 1), 413, "at most"),
    ],
)
def test_a_wrong_call_is_refused_with_a_reason_and_changes_nothing(
    client: httpx.Client, broker: MemoryBroker, body: bytes, code: int, expected: str
) -> None:
    answer = client.post("/invocations", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, expected in answer.json()["error"]) == (code, True), answer.text
    assert client.post("/invocations?durable=1", json=FORMS["instances"]).status_code == 200
    assert {row["event_id"] for row in recorded(broker)} == {"e1", "e2"}


def test_a_body_without_a_declared_length_is_cut_off_at_the_limit(client: httpx.Client) -> None:
    answer = client.post("/invocations", content=(b" " * 8192 for _ in range(100)), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_rows_that_the_model_cannot_score_are_named_with_the_reason_and_counted(
    broker: MemoryBroker, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "SEARCH_SECONDS", 60.0)  # on a busy machine the time of one call may be over before they are found
    record = recorder(broker.producer).start()
    client = serve(record, SERVING._replace(scorer=Scorer(fitted(unknown="error"), PROJECT.schema)))
    before = metrics.UNSCORED_ROWS.labels("refused")._value.get()
    rows = [request(n, carrier="C" if n in (2, 5) else "A") for n in range(9)]

    answer = client.post("/invocations?durable=1", json={"instances": rows}).json()
    record.stop(5)

    assert [score is None for score in answer["scores"]] == [n in (2, 5) for n in range(9)]
    assert [(found["row"], found["reason"]) for found in answer["unscored"]] == [(2, "refused"), (5, "refused")]
    assert "Found unknown categories ['C']" in answer["unscored"][0]["detail"]
    assert metrics.UNSCORED_ROWS.labels("refused")._value.get() == before + 2
    assert {row["event_id"] for row in recorded(broker) if row["score"] is None} == {"e2", "e5"}


def test_all_rows_scored_names_none(client: httpx.Client) -> None:
    assert client.post("/invocations", json=FORMS["instances"]).json()["unscored"] == []


def test_body_without_a_content_type_is_refused(client: httpx.Client) -> None:
    """A page on another site may send one without asking first."""
    answer = client.post("/invocations", content=msgspec.json.encode(FORMS["instances"]))
    assert (answer.status_code, "send application/json" in answer.json()["error"]) == (415, True)


def test_other_content_types_and_methods_are_refused(client: httpx.Client) -> None:
    assert client.post("/invocations", content=b"a,b", headers={"content-type": "text/csv"}).status_code == 415
    assert client.get("/invocations").status_code == 405


def test_without_a_model_a_call_is_refused_and_not_recorded(broker: MemoryBroker, serve: Serve) -> None:
    client = serve(recorder(broker.producer), model=None)
    assert client.post("/invocations", json=FORMS["instances"]).status_code == 503
    assert client.get("/ping").status_code == 503
    assert recorded(broker) == []


def test_a_full_buffer_drops_and_counts_unless_the_caller_wants_it_durable(broker: MemoryBroker, serve: Serve) -> None:
    client = serve(recorder(broker.producer, max_rows=3))  # never started: nothing leaves the buffer
    before = metrics.HTTP_DROPPED._value.get()
    codes = [client.post("/invocations", json=FORMS["instances"]).status_code for _ in range(2)]
    assert codes == [200, 200]
    assert metrics.HTTP_DROPPED._value.get() == before + 2
    assert client.post("/invocations?durable=1", json=FORMS["instances"]).status_code == 503


def test_a_durable_call_that_is_not_confirmed_in_time_says_that_it_may_be_repeated(
    broker: MemoryBroker, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "DURABLE_SECONDS", 0.05)
    answer = serve(recorder(broker.producer)).post("/invocations?durable=1", json=FORMS["instances"])
    assert answer.status_code == 503
    assert "same event ids" in answer.json()["error"]


def test_recording_goes_on_after_a_durable_call_that_gave_up_waiting(
    broker: MemoryBroker, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "DURABLE_SECONDS", 0.05)
    monkeypatch.setattr("driftloop_predictor.recorder.RETRY_SECONDS", 0.01)
    back = threading.Event()

    def connect() -> MessageProducer:
        if not back.is_set():
            raise TransientError("broker away")
        return broker.producer()

    record = recorder(connect).start()
    client = serve(record)
    assert client.post("/invocations?durable=1", json={"instances": [request(1)]}).status_code == 503
    back.set()
    wait_until(lambda: len(recorded(broker)) == 1, "the row of the call that gave up")
    client.post("/invocations", json={"instances": [request(2)]})
    wait_until(lambda: len(recorded(broker)) == 2, "the row of the next call")
    record.stop(5)


def test_rows_that_cannot_be_recorded_are_dropped_and_counted_and_the_next_ones_are_not(
    broker: MemoryBroker, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = recorder_module.encode_table

    def failing(table: pa.Table) -> bytes:
        if "e1" in table.column("event_id").to_pylist():
            raise AssertionError("nobody foresaw it")
        return encode(table)

    monkeypatch.setattr(recorder_module, "encode_table", failing)
    before = metrics.HTTP_DROPPED._value.get()
    record = recorder(broker.producer).start()
    client = serve(record)

    answer = client.post("/invocations?durable=1", json={"instances": [request(1)]})
    assert (answer.status_code, answer.json()["error"]) == (500, "the rows could not be recorded; the predictor's log says why")
    assert client.post("/invocations?durable=1", json={"instances": [request(2)]}).status_code == 200
    assert [row["event_id"] for row in recorded(broker)] == ["e2"]
    assert metrics.HTTP_DROPPED._value.get() == before + 1
    assert record.waiting_rows == 0
    record.stop(5)


def test_rows_of_one_entity_share_a_partition_and_an_outage_loses_none(
    broker: MemoryBroker, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftloop_predictor.recorder.RETRY_SECONDS", 0.01)
    attempts = threading.Semaphore(3)

    def connect() -> MessageProducer:
        if attempts.acquire(blocking=False):
            raise TransientError("broker away")
        return broker.producer()

    record = recorder(connect).start()
    client = serve(record)
    for n in range(40):
        client.post("/invocations", json={"instances": [request(n)]})
    wait_until(lambda: len(recorded(broker)) == 40, "40 recorded rows")
    record.stop(5)
    partitions: dict[object, set[int]] = {}
    for r in broker.records(TOPIC):
        for row in decode_table(r.value, inference_schema(PROJECT.schema)).to_pylist():
            partitions.setdefault(row["entity"], set()).add(r.partition)
    assert {len(found) for found in partitions.values()} == {1}
    assert len(set.union(*partitions.values())) > 1
    with pytest.raises(BufferFull):
        record.record(decode_table(broker.records(TOPIC)[0].value, inference_schema(PROJECT.schema)))
