"""What the commands of `driftloop lake` share: a stream's tables, durations, a bar for people."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import Progress

from driftloop.contracts.names import is_name
from driftloop.errors import ObjectNotFound, UserError
from driftloop.lake.table import LakeTable
from driftloop.settings import S3Settings

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def checked_stream(stream: str) -> str:
    """Raises UserError."""
    if not is_name(stream):
        raise UserError(f"{stream[:80]!r} is no name of a stream: lower-case letters, digits and hyphens, at most 63")
    return stream


def stream_tables(s3: S3Settings, stream: str) -> list[LakeTable]:
    """Inferences and labels. Raises UserError, TransientError."""
    checked_stream(stream)
    try:
        return [LakeTable.open(s3, stream, name) for name in ("inferences", "labels")]
    except ObjectNotFound as exc:
        raise UserError(f"the lake holds no stream {stream}; see `driftloop datasets list`") from exc


def duration(text: str) -> timedelta:
    """Raises UserError."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise UserError(f"{text[:80]!r} is no duration; one looks like 90s, 15m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@contextmanager
def progress_bar(what: str) -> Iterator[Any]:
    """A bar on stderr for a person."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=max(done, total))
