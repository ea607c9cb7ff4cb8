"""What every call that writes has in common: its key, and the answers that it may get."""

import uuid
from typing import Annotated, Any

from fastapi import Header

from driftloop.contracts.codec import caused_id
from driftloop_registry.responses import READ

Key = Annotated[str | None, Header(min_length=1, max_length=200, description="a call repeated with its key is done once")]
WRITE: dict[int | str, dict[str, Any]] = READ | {
    400: {"description": "no JSON"},
    409: {"description": "refused"},
    413: {"description": "too large"},
}


def identity_of(key: str | None, *call: object) -> str:
    """A repeat is one with the same key *and* the same call; without a key every call is a new one."""
    return caused_id("http", key, *call) if key is not None else str(uuid.uuid4())
