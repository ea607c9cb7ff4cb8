"""What another system answered, read from strangers' JSON: values at declared paths, and a sentence for what is none."""

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from driftloop.contracts.answers import UNVERSIONED, Answers
from driftloop.contracts.column_types import TargetType
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.errors import InvalidMessage
from driftloop.project import answers_check
from driftloop.rows.answers import Answer, AnswerReader, answered
from driftloop.rows.paths import JsonPaths
from driftloop.rows.schemas import inference_schema, request_schema


def schema(target: TargetType = "boolean") -> StreamSchema:
    return StreamSchema(stream="s", features=(Feature(name="x", type="number"),), target=Target(name="y", type=target))


NESTED = Answers(prediction="out.label", score="out.p", version="model.tag", probabilities=None)


def read(body: Any, declared: Answers = NESTED, target: TargetType = "boolean") -> Answer:
    return AnswerReader(schema(target), declared).read(msgspec.json.encode(body))


def test_nested_values_are_found_and_others_passed_over() -> None:
    body = {"x": 1, "out": {"label": True, "p": 0.25, "more": [1]}, "model": {"tag": "v7", "sha": "…"}}
    assert read(body) == Answer(True, 0.25, "v7")


@pytest.mark.parametrize(
    ("target", "body", "expected"),
    [
        ("boolean", {"score": 0.5}, (True, 0.5)),
        ("boolean", {"score": 0.49}, (False, 0.49)),
        ("boolean", {"prediction": True}, (True, None)),
        ("number", {"score": 3}, (3.0, 3.0)),
        ("number", {"prediction": -3.5}, (-3.5, -3.5)),
        ("category", {"prediction": "a", "score": 0.4}, ("a", 0.4)),
    ],
)
def test_what_follows_from_the_other_need_not_be_said(target: TargetType, body: dict[str, Any], expected: tuple[Any, Any]) -> None:
    found = read(body, Answers(), target)
    assert (found.prediction, found.score) == expected
    assert found.served_as == UNVERSIONED


@pytest.mark.parametrize(
    ("target", "body", "reason"),
    [
        ("boolean", {}, "the answer is missing: no field 'prediction' or 'score'"),
        ("boolean", {"prediction": None}, "the answer is missing"),
        ("boolean", {"score": 1.5}, "field 'score': 1.5 is no probability that y is true"),
        ("boolean", {"score": "high"}, "field 'score': expected a number or null, got a string"),
        ("boolean", {"prediction": 1}, "field 'prediction': expected true, false or null"),
        ("category", {"score": 0.4}, "the answer is missing: no field 'prediction'; "),
        ("category", {"prediction": "a", "score": -0.1}, "is no probability of the predicted class"),
        ("number", {"prediction": "3"}, "field 'prediction'"),
    ],
)
def test_what_is_no_answer_is_said_in_a_sentence(target: TargetType, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        read(body, Answers(), target)
    assert reason in str(caught.value)


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'"text"', b'{"out": 3}', b'{"out": {"p": "\xff"}}', b'{"x": "\xff"}'])
def test_strangers_bytes_are_refused(value: bytes | None) -> None:
    with pytest.raises(InvalidMessage):
        AnswerReader(schema(), NESTED).read(value)


def test_a_declared_version_must_be_there_and_can_be_shown() -> None:
    with pytest.raises(InvalidMessage, match=r"required field missing: 'model\.tag'"):
        read({"out": {"p": 0.2}})
    with pytest.raises(InvalidMessage, match="printable"):
        read({"out": {"p": 0.2}, "model": {"tag": "a\nb"}})
    assert read({"out": {"p": 0.2}, "model": {"tag": 12}}).served_as == "12"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"a": 0.5}, "add up to 0.5"),
        ({"a": 1.5, "b": -0.5}, "between 0 and 1"),
        ({"b": 1.0}, "the prediction 'a' is not among them"),
        ({}, "0 classes"),
    ],
)
def test_probabilities_by_class_are_checked(given: dict[str, float], reason: str) -> None:
    declared = Answers(probabilities="p")
    with pytest.raises(InvalidMessage, match=reason):
        read({"prediction": "a", "p": given}, declared, "category")
    assert read({"prediction": "a", "p": {"b": 0.25, "a": 0.75}}, declared, "category").probabilities == [("a", 0.75), ("b", 0.25)]


def test_all_are_read_and_the_bad_ones_say_why() -> None:
    found = AnswerReader(schema(), Answers()).read_all([b'{"score": 0.1}', b"{", b'{"score": 0.9}'])
    assert [type(each) for each in found] == [Answer, str, Answer]


def test_rows_with_answers_are_as_our_own_predictions() -> None:
    of = schema("category")
    rows = pa.Table.from_pylist([{"event_id": "1", "event_time": 0, "entity": "1", "x": 1.0}], schema=request_schema(of))
    at, offsets = pa.array([0], pa.timestamp("us", tz="UTC")), pa.array([7], pa.int64())
    table = answered(rows, of, [Answer("a", 0.75, "v7", [("a", 0.75), ("b", 0.25)])], {"v7": 3}, at, offsets)
    assert table.schema == inference_schema(of)
    row = table.to_pylist()[0]
    assert (row["prediction"], row["score"], row["model_version"], row["request_offset"]) == ("a", 0.75, 3, 7)


def test_paths_that_exclude_each_other_are_refused() -> None:
    for types in ({"a": float, "a.b": float}, {"a.b": float, "a": float}):
        with pytest.raises(ValueError, match="'a"):
            JsonPaths(types)


def test_what_is_below_nothing_is_nothing() -> None:
    paths = JsonPaths({"a.b.c": float, "d": str})
    assert paths.decode(b'{"a": null}') == {"a.b.c": None, "d": None}
    assert paths.decode(b'{"a": {"b": {"c": 2}}, "d": "x"}') == {"a.b.c": 2.0, "d": "x"}


@pytest.mark.parametrize(
    ("declared", "setting"),
    [
        (Answers(prediction=""), "prediction"),
        (Answers(score="a..b"), "score"),
        (Answers(version=".".join("abcdefghij")), "version"),
        (Answers(probabilities="p"), "probabilities"),
        (Answers(topic="s.requests"), "topic"),
        (Answers(join_within="0s"), "join_within"),
        (Answers(join_within="2h"), "join_within"),
        (Answers(join_within="soon"), "join_within"),
        (Answers(prediction="a", score="a.b"), "prediction"),
    ],
)
def test_what_the_project_may_say(declared: Answers, setting: str) -> None:
    assert [name for name, _ in answers_check.problems(declared, schema())] == [setting]
