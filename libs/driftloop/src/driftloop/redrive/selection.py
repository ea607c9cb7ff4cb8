"""Which rejected messages are meant."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from driftloop.errors import UserError
from driftloop.ports import Record
from driftloop.redrive.original import place
from driftloop.service.quarantine import Quarantined

_PLACE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})")
_ORIGIN = re.compile(r"([A-Za-z0-9._-]{1,249})/([0-9]{1,9})/([0-9]{1,18})")


class Selection(NamedTuple):
    """Messages named by ``ids``, or all whose reason holds ``reason`` and that were rejected in ``[since, until)``."""

    ids: frozenset[str] = frozenset()
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, record: Record, found: Quarantined) -> bool:
        if self.ids:
            return bool(self.named(record, found))
        at = record.timestamp_ms / 1000
        return (
            (self.reason is None or self.reason.casefold() in found.reason.casefold())
            and (self.since is None or at >= self.since.timestamp())
            and (self.until is None or at < self.until.timestamp())
        )

    def named(self, record: Record, found: Quarantined) -> frozenset[str]:
        """Which of the ids name this message."""
        return self.ids & {place(record), f"{found.topic}/{found.partition}/{found.offset}"}


def selection(
    ids: Sequence[str], *, everything: bool, reason: str | None, since: datetime | None = None, until: datetime | None = None
) -> Selection:
    """Raises UserError when nothing, or more than one thing, is said of which ones are meant."""
    by_rule = reason is not None or since is not None or until is not None
    if ids and (by_rule or everything):
        raise UserError("name the messages by their ids, or by a rule (--reason, --since, --until, --all), not by both")
    if not ids and not by_rule and not everything:
        raise UserError("which messages? Give ids as `driftloop quarantine list` shows them, --reason TEXT, or --all")
    wrong = next((one for one in ids if not (_PLACE.fullmatch(one) or _ORIGIN.fullmatch(one))), None)
    if wrong is not None:
        raise UserError(
            f"{wrong[:80]!r} is no id: PARTITION:OFFSET as `driftloop quarantine list` shows it, or TOPIC/PARTITION/OFFSET "
            "of where it came from"
        )
    if since is not None and until is not None and since >= until:
        raise UserError(f"the time ends before it begins: from {since.isoformat()} until {until.isoformat()}")
    return Selection(frozenset(ids), reason, since, until)
