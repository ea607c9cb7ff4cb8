"""Times as people type them."""

from datetime import UTC, datetime

from driftloop.errors import UserError


def moment(text: str) -> datetime:
    """ISO 8601; without a zone it is UTC. Raises UserError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as exc:
        raise UserError(f"{text[:80]!r} is no time; one looks like 2026-05-03T14:00:00+02:00") from exc
    return found if found.tzinfo else found.replace(tzinfo=UTC)
