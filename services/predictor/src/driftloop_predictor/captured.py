"""``POST /captured``: calls that another system has logged, as rows with its answers."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from driftloop.contracts.answers import UNVERSIONED, Answers
from driftloop.contracts.headers import format_time
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.watched import why_not_served_as
from driftloop.errors import InvalidMessage
from driftloop.rows.answers import Answer, AnswerReader, answered
from driftloop.rows.requests import RequestDecoder
from driftloop_predictor.capture_lines import MAX_ROWS, Call, read_call
from driftloop_predictor.invocations import TooManyRows

SHOWN = 20  # rejected lines in an answer


class Captured(NamedTuple):
    """``rows`` are request rows, ``answers`` theirs; ``rejected`` names lines, from 1, with a reason; ``failed``: calls that the other
    system had answered with an error."""

    rows: pa.Table
    answers: list[Answer]
    rejected: list[tuple[int, str]]
    failed: int

    def inferences(self, schema: StreamSchema, versions: Mapping[str, int], at: datetime) -> pa.Table:
        n = self.rows.num_rows
        scored_at = pa.repeat(pa.scalar(at, pa.timestamp("us", tz="UTC")), n)
        return answered(self.rows, schema, self.answers, versions, scored_at, pa.nulls(n, pa.int64()))


class CaptureReader:
    """Reads logs of one stream's calls."""

    def __init__(self, schema: StreamSchema, declared: Answers) -> None:
        self._schema, self._declared = schema, declared
        self._decoder, self._reader = RequestDecoder(schema), AnswerReader(schema, msgspec.structs.replace(declared, version=None))

    def read(self, body: bytes, version: str | None) -> Captured:
        """``version``: that answered, where the lines do not say. Raises TooManyRows."""
        values: list[bytes] = []
        answers: list[Answer] = []
        lines: list[int] = []
        rejected: list[tuple[int, str]] = []
        failed = 0
        for number, line in enumerate(body.split(b"\n"), start=1):
            if not line.strip():
                continue
            try:
                call = read_call(line, self._schema)
                if call is None:
                    failed += 1
                    continue
                served_as = _served_as(call.version or version or UNVERSIONED)
                said = [self._answer(answer, served_as) for answer in call.answers]
            except InvalidMessage as exc:
                rejected.append((number, str(exc)))
                continue
            values += _rows(call)
            answers += said
            lines += [number] * len(said)
            if len(values) > MAX_ROWS:
                raise TooManyRows(f"more than {MAX_ROWS} rows in one call")
        decoded = self._decoder.decode_batch(values, [None] * len(values))
        rejected += [(lines[i], reason) for i, reason in decoded.rejected]
        return Captured(decoded.rows, [answers[i] for i in decoded.accepted], sorted(rejected), failed)

    def _answer(self, given: Any, served_as: str) -> Answer:
        """Raises InvalidMessage. An object is read as records of the stream are; a fraction is a score, a whole number of a boolean target
        the predicted class."""
        declared, target = self._declared, self._schema.target
        if isinstance(given, dict):
            return self._reader.read(msgspec.json.encode(given))._replace(served_as=served_as)
        found: dict[str, Any] = dict.fromkeys((declared.prediction, declared.score, declared.probabilities or ""))
        if target.task == "multiclass" and isinstance(given, str):
            found[declared.prediction] = given
        elif target.task == "binary" and isinstance(given, bool | int) and given in (0, 1):
            found[declared.prediction] = bool(given)
        elif target.task != "multiclass" and isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
            found[declared.score] = float(given)
        elif given is not None:
            raise InvalidMessage(f"the prediction {str(given)[:80]!r} is none of {target.name}, which is a {target.type}")
        return self._reader.answer(found)._replace(served_as=served_as)


def _served_as(name: str) -> str:
    """Raises InvalidMessage for a name that the registry would not take: the whole call would wait for its number."""
    problem = why_not_served_as(name)
    if problem is not None:
        raise InvalidMessage(problem)
    return name


def _rows(call: Call) -> list[bytes]:
    """A JSON object for each row. What its own fields say of event id, time and entity stands."""
    ids = [call.id] if len(call.rows) == 1 else [f"{call.id}-{i}" for i in range(len(call.rows))]
    about = [{"event_id": event_id, "event_time": format_time(call.time)} for event_id in ids]
    return [msgspec.json.encode(known | row) for known, row in zip(about, call.rows, strict=True)]
