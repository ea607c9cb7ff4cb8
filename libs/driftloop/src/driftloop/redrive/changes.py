"""What is done to a message before it is sent again: nothing, some fields set, or what a function of the user's makes of it."""

import importlib.util
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from driftloop.contracts.foreign_json import UNDECODABLE
from driftloop.contracts.headers import CONTENT_TYPE, JSON
from driftloop.errors import InvalidMessage, UserError
from driftloop.redrive.original import Changed, Original
from driftloop.stored import sha256_of

MAX_SHOWN = 80


class Change(Protocol):
    """``words``: what it does, for the record."""

    @property
    def words(self) -> str: ...

    def of(self, original: Original) -> Changed | None:
        """None: it is not sent. Raises InvalidMessage with a sentence when nothing can be made of it."""


class AsItWas:
    """The original bytes: the contract has changed since, or what stood in its way is gone."""

    words = "as it was"

    def of(self, original: Original) -> Changed | None:
        return Changed(original.value, original.key, original.headers)


class SetFields:
    """Fields of a JSON object set to values, by their paths; objects on the way are made. All else stays as it is."""

    def __init__(self, fields: Mapping[tuple[str, ...], Any]) -> None:
        self._fields = dict(fields)
        self.words = ", ".join(f"{'.'.join(path)} set to {_json(value)}" for path, value in self._fields.items())

    def of(self, original: Original) -> Changed | None:
        row = original.row
        if row is None:
            raise InvalidMessage("it holds no JSON object, so no field of it can be set: --transform FILE.py:function is given its bytes")
        for path, value in self._fields.items():
            _set(row, path, value)
        return Changed(msgspec.json.encode(row), original.key, original.headers)


class Transform:
    """What a function makes of each message: a dict (sent as JSON), bytes, or None for one that is not to be sent.

    It is given an ``Original``: ``row`` is the JSON object, ``value``, ``key`` and ``headers`` are what was sent, ``reason`` is why it
    was rejected.
    """

    def __init__(self, function: Callable[[Original], Any], name: str) -> None:
        self._function, self._name = function, name
        self.words = f"made by {name}"

    def of(self, original: Original) -> Changed | None:
        try:
            made = self._function(original)
            if isinstance(made, dict):
                return Changed(msgspec.json.encode(made), original.key, _as_json(original))
        except Exception as exc:  # whatever a user's function raises is its message's affair alone
            raise InvalidMessage(f"{self._name} failed on it, {_line(exc)}: {type(exc).__name__}: {exc}") from exc
        if made is None:
            return None
        if isinstance(made, bytes):
            return Changed(made, original.key, original.headers)
        raise InvalidMessage(f"{self._name} gave a {type(made).__name__}: it gives a dict, bytes, or None for a message to leave out")


class Assignment(NamedTuple):
    path: tuple[str, ...]
    value: Any


def set_fields(given: Sequence[str]) -> SetFields:
    """Of ``PATH=VALUE``: the value is JSON where it can be read so, else text. Raises UserError."""
    return SetFields({one.path: one.value for one in map(assignment, given)})


def assignment(given: str) -> Assignment:
    """Raises UserError."""
    if not is_text(given):
        raise UserError(f"{given[:MAX_SHOWN]!r} is no text that UTF-8 can hold")
    name, equals, text = given.partition("=")
    path = tuple(name.strip().split("."))
    if not equals or not all(path):
        raise UserError(f"{given[:MAX_SHOWN]!r} sets nothing: write PATH=VALUE, such as label=true or zone=north")
    try:
        return Assignment(path, msgspec.json.decode(text))
    except UNDECODABLE:
        return Assignment(path, text)


def transform(named: str) -> Transform:
    """Of ``FILE.py:function``. Runs the file. Raises UserError with what is wrong with it."""
    file, colon, name = named.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise UserError(f"{named[:MAX_SHOWN]!r} names no function: write FILE.py:function")
    path = Path(file)
    if not path.is_file():
        raise UserError(f"there is no file {file}")
    spec = importlib.util.spec_from_file_location("driftloop_transform", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as exc:  # whatever a user's file raises
        raise UserError(f"{file} cannot be run, {_line(exc)}: {type(exc).__name__}: {exc}") from exc
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{file} has no function {name}")
    return Transform(function, f"{path.name}:{name}, sha256 {sha256_of(path.read_bytes())[:12]}")


def is_text(given: str) -> bool:
    """Whether UTF-8 can hold it: what a terminal passes on as it is may not be text."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def _set(row: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for n, name in enumerate(path[:-1], 1):
        row = row.setdefault(name, {})
        if not isinstance(row, dict):
            raise InvalidMessage(f"field {'.'.join(path[:n])!r} is no object, so {'.'.join(path)!r} cannot be set")
    row[path[-1]] = value


def _as_json(original: Original) -> tuple[tuple[str, bytes], ...]:
    return (*(each for each in original.headers if each[0] != CONTENT_TYPE), (CONTENT_TYPE, JSON.encode()))


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _line(exc: Exception) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    return f"in line {frames[-1].lineno}" if frames else "somewhere"
