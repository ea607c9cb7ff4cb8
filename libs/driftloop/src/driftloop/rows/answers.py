"""What a model that is served elsewhere has answered, as records tell it, and as the columns that our own predictions have."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from driftloop.contracts.answers import UNVERSIONED, Answers
from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.class_probabilities import MAX_CLASSES, MAX_NAMES_BYTES, PROBABILITIES, SUM_TOLERANCE
from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.watched import why_not_served_as
from driftloop.errors import InvalidMessage
from driftloop.rows.paths import JsonPaths
from driftloop.rows.schemas import CLASS_PROBABILITIES, inference_schema


class Answer(NamedTuple):
    """One row's. ``served_as``: the version that gave it, as the other system calls it."""

    prediction: Any
    score: float | None
    served_as: str
    probabilities: list[tuple[str, float]] | None = None


class AnswerReader:
    """Reads answers of one stream from JSON objects."""

    def __init__(self, schema: StreamSchema, declared: Answers, more: Mapping[str, Any] | None = None) -> None:
        """``more``: types of other paths that are read with them. Raises ValueError for paths that exclude each other."""
        self._target, self._declared = schema.target, declared
        kinds: dict[str, Any] = {declared.prediction: COLUMN_TYPES[schema.target.type].json, declared.score: float}
        if declared.probabilities is not None:
            kinds[declared.probabilities] = dict[str, float]
        if declared.version is not None:
            kinds[declared.version] = str | int
        self._paths = JsonPaths(kinds | dict(more or {}))

    def values(self, value: bytes | None) -> dict[str, Any]:
        """By path, what is there. Raises InvalidMessage in words for a person."""
        return self._paths.decode(value)

    def read(self, value: bytes | None) -> Answer:
        """Raises InvalidMessage in words for a person."""
        return self.answer(self.values(value))

    def read_all(self, values: Sequence[bytes | None], _event_ids: Sequence[str] = ()) -> list[Answer | str]:
        """What ``read`` gives each, or why it gives nothing."""
        found: list[Answer | str] = []
        for value in values:
            try:
                found.append(self.read(value))
            except InvalidMessage as exc:
                found.append(str(exc))
        return found

    def answer(self, found: Mapping[str, Any]) -> Answer:
        """Of values by path. Raises InvalidMessage."""
        declared = self._declared
        prediction, score = found[declared.prediction], found[declared.score]
        for name, number in ((declared.prediction, prediction), (declared.score, score)):
            if isinstance(number, float) and not math.isfinite(number):
                raise InvalidMessage(f"field {name!r} is no finite number")
        match self._target.task:
            case "binary":
                if score is not None and not 0 <= score <= 1:
                    raise InvalidMessage(f"field {declared.score!r}: {score:g} is no probability that {self._target.name} is true")
                prediction = score >= 0.5 if prediction is None and score is not None else prediction
            case "regression":
                prediction, score = (score if prediction is None else prediction), (prediction if score is None else score)
            case "multiclass":
                if score is not None and not 0 <= score <= 1:
                    raise InvalidMessage(f"field {declared.score!r}: {score:g} is no probability of the predicted class")
        if prediction is None:
            where = f"{declared.prediction!r}" if self._target.task == "multiclass" else f"{declared.prediction!r} or {declared.score!r}"
            raise InvalidMessage(f"the answer is missing: no field {where}; [answers] in driftloop.toml says where it is")
        return Answer(prediction, score, self._served_as(found), self._probabilities(found, prediction))

    def _served_as(self, found: Mapping[str, Any]) -> str:
        path = self._declared.version
        if path is None:
            return UNVERSIONED
        if found[path] is None:
            raise InvalidMessage(f"required field missing: {path!r}, the version that answered")
        name = str(found[path])
        problem = why_not_served_as(name)
        if problem is not None:
            raise InvalidMessage(f"field {path!r}: {problem}")
        return name

    def _probabilities(self, found: Mapping[str, Any], prediction: Any) -> list[tuple[str, float]] | None:
        path = self._declared.probabilities
        given = None if path is None else found[path]
        if given is None:
            return None
        problem = _wrong(given, prediction)
        if problem is not None:
            raise InvalidMessage(f"field {path!r}: {problem}")
        return sorted(given.items())


def answered(
    rows: pa.Table, schema: StreamSchema, answers: Sequence[Answer], versions: Mapping[str, int], at: pa.Array, request_offsets: pa.Array
) -> pa.Table:
    """Request rows with their answers: columns of ``inference_schema``. ``versions``: our numbers by their names."""
    columns_of = inference_schema(schema)
    columns: dict[str, Any] = {
        "prediction": pa.array([a.prediction for a in answers], columns_of.field("prediction").type),
        "score": pa.array([a.score for a in answers], pa.float64()),
        "model_version": pa.array([versions[a.served_as] for a in answers], pa.int64()),
        "scored_at": at,
        "request_offset": request_offsets,
        RECALIBRATION_EPOCH: pa.nulls(len(answers), pa.int64()),
        VERSION_RULE: pa.nulls(len(answers), pa.string()),
        PROBABILITIES: pa.array([a.probabilities for a in answers], CLASS_PROBABILITIES.type),
    }
    columns |= dict(zip(rows.column_names, rows.columns, strict=True))  # last: a feature may have the name of what is not recorded then
    return pa.Table.from_arrays([columns[name] for name in columns_of.names], schema=columns_of)


def _wrong(probabilities: Mapping[str, float], prediction: Any) -> str | None:
    if not 0 < len(probabilities) <= MAX_CLASSES:
        return f"{len(probabilities)} classes; 1 to {MAX_CLASSES}"
    if sum(len(name.encode()) for name in probabilities) > MAX_NAMES_BYTES:
        return f"names of more than {MAX_NAMES_BYTES} bytes"
    if not all(0 <= p <= 1 for p in probabilities.values()):
        return "a probability is no number between 0 and 1"
    if abs(sum(probabilities.values()) - 1) > SUM_TOLERANCE:
        return f"they add up to {sum(probabilities.values()):.6g} and not to 1"
    return None if prediction in probabilities else f"the prediction {prediction!r} is not among them"
