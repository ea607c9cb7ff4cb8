"""The links of a chain from a prediction back to bytes; each is checked and either holds or says why not."""

from collections.abc import Callable
from typing import Any

import msgspec

from driftloop.contracts.values import Part
from driftloop.errors import IntegrityError, ObjectNotFound


class Link(Part, frozen=True, kw_only=True):
    """One link. ``what`` names it to a person, ``details`` to a program; ``reason``: why it does not hold."""

    link: str  # prediction, recalibration, model version, training run, snapshot, files, offsets, code, environment, seed
    ok: bool
    what: str
    reason: str | None = None
    details: dict[str, Any] = msgspec.field(default_factory=dict)


def checked(link: str, what: str, check: Callable[[], dict[str, Any]]) -> Link:
    """The link that ``check`` gives details of, or the reason that it raises. TransientError passes: nothing is known then."""
    try:
        return Link(link=link, ok=True, what=what, details=check())
    except ObjectNotFound as exc:
        return Link(link=link, ok=False, what=what, reason=f"{exc} is not in the store")
    except IntegrityError as exc:
        return Link(link=link, ok=False, what=what, reason=str(exc))


def unknown(link: str, what: str, because: str) -> Link:
    """A link that cannot be followed because one before it does not hold."""
    return Link(link=link, ok=False, what=what, reason=because)
