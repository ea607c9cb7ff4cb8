"""Who is told what: ``[[notify]]`` of a project."""

from typing import Annotated, Literal, get_args

import msgspec

from driftloop.contracts.names import Name
from driftloop.contracts.values import Part

NotifyKind = Literal["incident", "run-failed", "approval", "stall", "gap"]
KINDS: tuple[NotifyKind, ...] = get_args(NotifyKind)


class NotifyRule(Part, frozen=True, kw_only=True):
    """``to``: a URL that is posted to, or ``apprise``: the name of a secret that holds a URL of apprise's; one of them.

    ``secret``: the name of the one that a webhook is signed with. ``severity``: of incidents, in [0, 1], from which on they are told;
    ``raised``: told again when it has risen by another tenth.
    """

    to: str | None = None
    apprise: Name | None = None
    secret: Name | None = None
    events: tuple[NotifyKind, ...] = KINDS
    severity: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    raised: bool = False

    @property
    def destination(self) -> str:
        """As people are told of it."""
        return self.to or f"apprise:{self.apprise}"
