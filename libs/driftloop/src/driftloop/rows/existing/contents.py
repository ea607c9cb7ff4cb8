"""What is in a sample of records: the fields with their types, and the mapping that they suggest. Nothing is decided by it."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from driftloop.contracts.evolution import clashes
from driftloop.contracts.existing_topics import COORDINATES, TIMESTAMP, TimeFormat
from driftloop.contracts.headers import parse_time
from driftloop.contracts.schema import RESERVED
from driftloop.contracts.values import Part
from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.existing.kinds import found_words
from driftloop.rows.existing.whole import Whole

MOST_FIELDS, EXAMPLES, EXAMPLE_CHARACTERS = 500, 3, 40
_UNITS: dict[TimeFormat, float] = {"unix": 1.0, "unix_ms": 1e3, "unix_us": 1e6}
_SPAN = (datetime(2000, 1, 1, tzinfo=UTC).timestamp(), datetime(2100, 1, 1, tzinfo=UTC).timestamp())  # of numbers that are taken for times
_TIMELY = re.compile(r"(?i)(time|date|_at|_ts|stamp)$|^(at|ts|when)$|(time|date)")


class FieldFacts(Part, frozen=True, kw_only=True):
    """One path. ``missing``: share of records in which it is null or absent; ``own``: every value is another one."""

    path: str
    types: tuple[str, ...]
    missing: float
    examples: tuple[str, ...]
    own: bool
    time_format: str | None = None  # values look like times: "rfc3339", or in which unit numbers are some
    earliest: datetime | None = None
    latest: datetime | None = None


class TopicContents(Part, frozen=True, kw_only=True):
    """Of a sample: ``formats`` and ``problems`` say of how many records; ``key``: an example."""

    topic: str
    partitions: int
    records: int
    formats: dict[str, int]
    schemas: dict[int, int]
    problems: dict[str, int]
    key: str | None
    timestamps: tuple[datetime, datetime] | None
    fields: tuple[FieldFacts, ...]
    proposed: str | None  # TOML


def contents(topic: str, partitions: int, pairs: Sequence[tuple[Record, Whole]]) -> TopicContents:
    """``pairs``: records as they are and as they were read."""
    formats = Counter(whole.format for _, whole in pairs if whole.format is not None)
    readable = [whole.fields for _, whole in pairs if whole.fields]
    paths = dict.fromkeys(path for fields in readable for path in fields)
    facts = tuple(_facts(path, [fields.get(path) for fields in readable]) for path in list(paths)[:MOST_FIELDS])
    stamps = [record.timestamp_ms for record, _ in pairs if record.timestamp_ms > 0]
    keys = [record.key for record, _ in pairs if record.key]
    return TopicContents(
        topic=topic,
        partitions=partitions,
        records=len(pairs),
        formats=dict(formats.most_common()),
        schemas=dict(Counter(whole.schema_id for _, whole in pairs if whole.schema_id is not None)),
        problems=dict(Counter(whole.problem for _, whole in pairs if whole.problem is not None).most_common(5)),
        key=keys[0].decode("utf-8", "backslashreplace")[:EXAMPLE_CHARACTERS] if keys else None,
        timestamps=(_at(min(stamps)), _at(max(stamps))) if stamps else None,
        fields=facts,
        proposed=_proposed(topic, formats.most_common(1)[0][0], facts) if facts and formats else None,
    )


def _facts(path: str, values: Sequence[Any]) -> FieldFacts:
    known = [value for value in values if value is not None]
    types = Counter(found_words(type(value)) for value in known)
    texts = [str(value)[: EXAMPLE_CHARACTERS * 2] for value in known]
    time_format, times = _times(path, known)
    return FieldFacts(
        path=path,
        types=tuple(name for name, _ in types.most_common()),
        missing=(len(values) - len(known)) / len(values),
        examples=tuple(text[:EXAMPLE_CHARACTERS] for text in list(dict.fromkeys(texts))[:EXAMPLES]),
        own=len(set(texts)) == len(values) > 1,
        time_format=time_format,
        earliest=min(times, default=None),
        latest=max(times, default=None),
    )


def _times(path: str, values: Sequence[Any]) -> tuple[str | None, list[datetime]]:
    """Whether all values are times, how, and which."""
    if not values:
        return None, []
    kinds = set(map(type, values))
    if kinds <= {datetime, date}:
        aware = [value for value in values if isinstance(value, datetime) and value.tzinfo is not None]
        return "rfc3339", aware
    if kinds <= {str}:
        try:
            return "rfc3339", [parse_time(value) for value in values]
        except InvalidMessage:
            return None, []
    if kinds <= {int, float} and _TIMELY.search(path.rpartition(".")[2]):
        for name, unit in _UNITS.items():
            if all(_SPAN[0] <= value / unit <= _SPAN[1] for value in values):
                return name, [datetime.fromtimestamp(value / unit, UTC) for value in values]
    return None, []


def _proposed(topic: str, format: str, facts: Sequence[FieldFacts]) -> str | None:
    """A mapping to begin with. What is a guess says so."""
    if format not in ("json", "avro", "protobuf", "json-schema"):
        return None
    ids = [
        fact
        for fact in facts
        if fact.own and fact.missing == 0 and set(fact.types) <= {"text", "a whole number"} and fact.time_format is None
    ]
    ids.sort(key=lambda fact: not re.search(r"(?i)id$|key$|number$|^id", fact.path.rpartition(".")[2]))
    times = [fact for fact in facts if fact.time_format is not None and fact.missing == 0]
    event_id, time = (ids[0].path if ids else COORDINATES), (times[0] if times else None)
    lines = [
        "[stream.requests]",
        f"topic = {_quoted(topic)}",
        f"format = {_quoted(format)}",
        f"event_id = {_quoted(event_id)}" + ("  # a guess: another value in every record" if ids else "  # no field names the record"),
        f"event_time = {_quoted(time.path if time else TIMESTAMP)}",
    ]
    if time is not None and time.time_format in _UNITS:
        lines.append(f"time_format = {_quoted(str(time.time_format))}")
    lines.append('entity = "@key"  # or the path of what a record is about')
    lines += ["", "[features]", "# take out what is no input of the model: ids, what is known only later, the answer"]
    taken: set[str] = set()
    for fact in facts:
        kind = _kind(fact)
        if fact.path in (event_id, time.path if time else None) or kind is None:
            continue
        lines.append(f"{_name(fact.path, taken)} = {_declared(fact, kind)}")
    return "\n".join(lines)


def _kind(fact: FieldFacts) -> str | None:
    types = set(fact.types)
    if not types:
        return None
    if fact.time_format is not None:
        return "datetime"
    if types <= {"a whole number"}:
        return "integer"
    if types <= {"a whole number", "a number", "a decimal number"}:
        return "number"
    if types == {"true or false"}:
        return "boolean"
    return "category" if types == {"text"} and not fact.own else None


def _declared(fact: FieldFacts, kind: str) -> str:
    settings = [f"type = {_quoted(kind)}", f"path = {_quoted(fact.path)}"]
    if fact.time_format in _UNITS:
        settings.append(f"time_format = {_quoted(str(fact.time_format))}")
    if fact.missing:
        settings.append("required = false")
    return "{ " + ", ".join(settings) + " }"


def _name(path: str, taken: set[str]) -> str:
    """A feature's name: the last step, or the whole path where that is taken or no name."""
    for text in (path.rpartition(".")[2], path):
        name = re.sub(r"\W", "_", text)
        if name.isidentifier() and name not in taken and name not in RESERVED and not clashes(name):
            break
    else:
        name = f"field_{len(taken)}"
    taken.add(name)
    return name


def _quoted(text: str) -> str:
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return f'"{escaped}"'


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(min(ms, 253_000_000_000_000) / 1000, UTC)
