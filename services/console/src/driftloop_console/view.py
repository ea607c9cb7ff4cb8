"""What is asked for: one model and one range of time, both in the address, so that every view is a link."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from driftloop.client.arguments import time_of
from driftloop.contracts.names import is_name
from driftloop.errors import UserError
from driftloop_console.columns import milliseconds

MAX_TEXT = 1_000  # of one value in an address


class NotFound(Exception):
    """There is no such thing: in a sentence, with what to do."""


class View(NamedTuple):
    """``since`` and ``until`` as they were typed; the range is [start_ms, end_ms), None: without that end."""

    model: str | None
    since: str
    until: str
    start_ms: int | None
    end_ms: int | None
    asked: Mapping[str, str]  # all that the address says

    def query(self, **more: object) -> str:
        """The part of an address behind the ``?`` that keeps model and range; None leaves a value out."""
        kept = {"model": self.model, "from": self.since or None, "to": self.until or None} | more
        return urlencode({name: value for name, value in kept.items() if value is not None})

    def text(self, name: str) -> str | None:
        return self.asked.get(name) or None

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """Raises UserError when it is no whole number; one out of bounds is taken as the nearest in them."""
        said = self.text(name)
        if said is None:
            return default
        return max(least, min(most, self._digits(name, said, 9)))

    def instant(self, name: str) -> int | None:
        """Milliseconds since 1970; None: the address does not say. Raises UserError."""
        said = self.text(name)
        return None if said is None else self._digits(name, said.removeprefix("-"), 15) * (-1 if said.startswith("-") else 1)

    @staticmethod
    def _digits(name: str, said: str, most: int) -> int:
        if not (said.isascii() and said.isdigit() and len(said) <= most):
            raise UserError(f"{name}={said[:40]!r} is no whole number")
        return int(said)


def view_of(asked: Mapping[str, str]) -> View:
    """Raises UserError for a range or a name that is none."""
    if any(len(value) > MAX_TEXT and name != "event" for name, value in asked.items()):
        raise UserError(f"a value in the address has more than {MAX_TEXT} characters")
    model, since, until = (asked.get(name, "").strip() for name in ("model", "from", "to"))
    if model and not is_name(model):
        raise UserError(f"{model[:80]!r} is no name of a model")
    start, end = _time("from", since), _time("to", until)
    if start is not None and end is not None and start >= end:
        raise UserError(f"the range ends before it begins: from {since} to {until}")
    starts, ends = (None if time is None else milliseconds(time) for time in (start, end))
    return View(model or None, since, until, starts, ends, asked)


def _time(name: str, said: str) -> datetime | None:
    try:
        return time_of(said) if said else None
    except UserError as exc:
        raise UserError(f"{name}={said[:40]!r} is no time: write 2026-01-31 or 2026-01-31T08:00") from exc
