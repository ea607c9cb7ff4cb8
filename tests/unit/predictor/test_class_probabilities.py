"""Class probabilities of the champion in the message of a batch and in the answer by HTTP."""

from collections.abc import Sequence

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from tests.support.traffic import START, event_time, several_schema
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.predictor.samples import fitted, request, sample_project

from driftloop.adapters.memory import MemoryBroker
from driftloop.artifact.scoring import Scorer, to_frame
from driftloop.contracts.headers import ARROW, CONTENT_TYPE
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.topics import inferences
from driftloop.ports import Record
from driftloop.rows.arrow_stream import decode_table, encode_table
from driftloop.rows.inferences import InferenceDecoder
from driftloop.rows.schemas import inference_schema, request_schema
from driftloop.service.http_server import HttpServer
from driftloop_predictor import batches
from driftloop_predictor.batches import BatchEncoder
from driftloop_predictor.buffer import Batch
from driftloop_predictor.http import Edge, build_app
from driftloop_predictor.recorder import Recorder
from driftloop_predictor.scored_rows import scored
from driftloop_predictor.serving import ScoringModel

SCHEMA = several_schema("fruit")


def requests(n: int, schema: StreamSchema = SCHEMA) -> pa.Table:
    rows = [
        {"event_id": f"e{i}", "event_time": event_time(i), "entity": "k", "amount": float(i), "kind": "x", "night": True} for i in range(n)
    ]
    return pa.Table.from_pylist(rows, schema=request_schema(schema))


def model(names: Sequence[str] = ("pear", "apple", "plum")) -> Pipeline:
    frame = to_frame(requests(60), SCHEMA)
    return make_pipeline(make_column_transformer(("passthrough", ["amount"])), LogisticRegression(max_iter=20, tol=1)).fit(
        frame, np.array([names[i % len(names)] for i in range(60)])
    )


def serving(pipeline: Pipeline) -> ScoringModel:
    return ScoringModel("fruit", 1, 1, "a" * 64, Scorer(pipeline, SCHEMA))


def of_batch(messages: int, rows_in_one: int, champion: ScoringModel | None = None) -> pa.Table:
    """The rows of the message that a batch becomes."""
    headers = ((CONTENT_TYPE, ARROW.encode()),)
    rows = requests(rows_in_one)
    records = [Record("fruit.requests", 0, offset, 0, b"k", encode_table(rows), headers) for offset in range(messages)]
    batch = Batch(0.0)
    batch.records, batch.plain = records, False
    made = BatchEncoder(SCHEMA, "id").account(batch, 0, champion or serving(model()), START)
    assert made.rejected == []
    rows = (
        InferenceDecoder(SCHEMA, inference_schema(SCHEMA)).decode(Record("fruit.inferences", 0, 0, 0, None, made.value, made.headers)).rows
    )
    assert rows is not None
    return rows


def test_a_batch_carries_what_the_model_said_of_every_class() -> None:
    rows, pipeline = of_batch(2, 3), model()
    expected = pipeline.predict_proba(to_frame(requests(3), SCHEMA))
    for at, said in enumerate(rows.column("probabilities").to_pylist(maps_as_pydicts="strict")):
        assert list(said) == ["apple", "pear", "plum"]
        assert list(said.values()) == expected[at % 3].tolist()
        assert said[rows.column("prediction")[at].as_py()] == rows.column("score")[at].as_py() == max(said.values())


def test_without_a_model_there_are_none() -> None:
    rows = scored(requests(3), inference_schema(SCHEMA), None, START, None).table
    assert rows.schema == inference_schema(SCHEMA)
    assert rows.column("probabilities").null_count == 3


def test_a_request_that_fits_without_them_only_is_recorded_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [
        len(encode_table(scored(requests(50), inference_schema(SCHEMA), champion, START, None).table))
        for champion in (None, serving(model()))
    ]
    monkeypatch.setattr(batches, "MAX_MESSAGE_BYTES", sum(sizes) // 2)
    rows = of_batch(1, 50)
    assert (rows.num_rows, rows.column("score").null_count, rows.column("probabilities").null_count) == (50, 0, 50)
    with pytest.raises(batches.TooLarge):  # of several requests fewer are taken at a time
        of_batch(2, 25)


def test_more_classes_than_can_be_recorded_cost_nothing_but_their_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftloop.rows.probabilities.MAX_CLASSES", 2)
    champion = serving(model())
    assert champion.scorer.unrecordable == "3 classes; at most 2"
    rows = of_batch(1, 4, champion)
    assert (rows.column("prediction").null_count, rows.column("probabilities").null_count) == (0, 4)


def test_rows_that_the_model_cannot_score_have_none_and_their_neighbours_do() -> None:
    class Picky:
        classes_ = np.array(["b", "a"])

        def predict_proba(self, frame):
            if (frame["amount"] == 2).any():
                raise ValueError("not two")
            return np.tile([0.25, 0.75], (len(frame), 1))

    found = Scorer(Picky(), SCHEMA).score(requests(4))
    assert found.probabilities is not None
    assert found.probabilities.to_pylist(maps_as_pydicts="strict") == [{"a": 0.75, "b": 0.25}] * 2 + [None, {"a": 0.75, "b": 0.25}]
    assert found.prediction.to_pylist() == ["a", "a", None, "a"]


def test_what_is_no_distribution_is_not_recorded_and_the_prediction_is() -> None:
    class OneAgainstRest:
        classes_ = np.array(["a", "b"])

        def predict_proba(self, frame):
            return np.tile([0.9, 0.8], (len(frame), 1))

    found = Scorer(OneAgainstRest(), SCHEMA).score(requests(3))
    assert found.probabilities is not None
    assert (found.prediction.to_pylist(), found.score.to_pylist(), found.probabilities.null_count) == (["a"] * 3, [0.9] * 3, 3)


def answered(schema: StreamSchema, champion: ScoringModel, row: dict[str, object]) -> tuple[dict[str, object], list[Record]]:
    """What HTTP answers, and what it records."""
    broker, topic = MemoryBroker(), inferences(schema.stream)
    broker.create_topic(topic, 1)
    recorder = Recorder(topic, connect=broker.producer, partitions=lambda: 1).start()
    edge = Edge(max_body_bytes=10_000)
    edge.open(schema, new_id=lambda: "generated", serving=lambda: champion, recorder=recorder)
    server = HttpServer(build_app(edge), "127.0.0.1", 0, setting="PORT").start()
    address = f"http://127.0.0.1:{server.port}/invocations?durable=1"
    response = httpx.post(
        address, content=msgspec.json.encode({"instances": [row]}), headers={"content-type": "application/json"}, timeout=PATIENCE_SECONDS
    )
    server.stop()
    recorder.stop(5)
    assert response.status_code == 200, response.text
    return response.json(), broker.records(topic)


def test_an_answer_by_http_has_the_probabilities_that_are_recorded() -> None:
    row = requests(1).to_pylist()[0]
    body, [record] = answered(SCHEMA, serving(model()), row)
    [recorded] = decode_table(record.value, inference_schema(SCHEMA)).column("probabilities").to_pylist(maps_as_pydicts="strict")
    assert body["probabilities"] == [recorded]
    assert list(recorded) == ["apple", "pear", "plum"]


def test_an_answer_of_another_target_is_as_it_was() -> None:
    project = sample_project("web")
    body, [record] = answered(project.schema, ScoringModel("web", 1, 1, "a" * 64, Scorer(fitted(), project.schema)), request(1))
    assert list(body) == [
        "predictions",
        "scores",
        "model",
        "version",
        "digest",
        "recalibration_epoch",
        "answered_by",
        "event_ids",
        "unscored",
    ]
    assert decode_table(record.value, inference_schema(project.schema)).schema.names == inference_schema(project.schema).names
