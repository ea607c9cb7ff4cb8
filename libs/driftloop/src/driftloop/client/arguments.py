"""Names and times as people give them."""

from collections.abc import Callable
from datetime import UTC, datetime

from driftloop.contracts.names import is_name
from driftloop.errors import UserError

SHOWN_CHARACTERS = 80
Say = Callable[[str], None]  # told in words what a person may want to know meanwhile


def checked_name(name: str, what: str = "name") -> str:
    """``name``, which may stand in a URL, a topic and a key. ``what`` it is not, if so. Raises UserError."""
    if not is_name(name):
        raise UserError(f"{name[:SHOWN_CHARACTERS]!r} is no {what}: lower-case letters, digits and hyphens")
    return name


def stream_name(name: str) -> str:
    """Raises UserError."""
    return checked_name(name, "stream's name")


def time_of(given: datetime | str) -> datetime:
    """ISO 8601, or a datetime; without a zone it is UTC. Raises UserError."""
    try:
        time = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as exc:
        raise UserError(f"{str(given)[:SHOWN_CHARACTERS]!r} is no time; one looks like 2026-05-03T14:00:00+02:00") from exc
    return time if time.tzinfo else time.replace(tzinfo=UTC)
