"""Grace periods as people give them."""

import re
from datetime import timedelta

from driftloop.errors import UserError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """Raises UserError."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise UserError(f"{text[:80]!r} is no duration; one looks like 90s, 15m, 24h or 7d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
