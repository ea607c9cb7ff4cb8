"""A model version that is served elsewhere: what is known of it, and what the rows that it answers are compared with."""

import hashlib
from typing import Literal

import msgspec

from driftloop.contracts.names import Digest, is_name
from driftloop.contracts.values import ModelName, Part, RowCount, Window

ServedBy = Literal["elsewhere"]  # where it is not driftloop's predictor
MAX_SERVED_AS = 200  # characters of a version as another system calls it
MOST_WATCHED = 100  # different ones of a model: strangers' records name them


class Reference(Part, frozen=True, kw_only=True):
    """A chosen stretch of the stream that windows are compared with: its ``rows``, as a profile with this sha256.

    ``served_as``: the version whose scores are in the profile. Another version's scores are not compared with them.
    """

    window: Window
    rows: RowCount
    profile: Digest
    served_as: str


class Watched(Part, frozen=True, kw_only=True):
    """``served_as``: the version as the system calls it that serves it. ``reference`` null: rows are counted, and not compared."""

    served_as: str
    reference: Reference | None = None


def watched_digest(model: ModelName, watched: Watched) -> str:
    """sha256 of all that is known of such a version, hex: what stands in the place of a manifest. Nothing is stored under it."""
    return hashlib.sha256(msgspec.json.encode({"model": model, "watched": watched}, order="deterministic")).hexdigest()


def reference_key(model: str, profile: Digest) -> str:
    """Where a reference's profile lies in the store. Names and digests only: a path cannot be smuggled in."""
    if not is_name(model):
        raise ValueError(f"no model is called {model!r}")
    return f"references/{model}/{profile}.json"


def why_not_served_as(text: str) -> str | None:
    """What stands against this name of a version; None: nothing."""
    if not 0 < len(text) <= MAX_SERVED_AS:
        return f"a version as it is served elsewhere has 1 to {MAX_SERVED_AS} characters, not {len(text)}"
    return None if text.isprintable() else "a version as it is served elsewhere has printable characters only"
