"""What would become of each message: sent, refused with the reason, sent before, or left out."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from driftloop.errors import IntegrityError, InvalidMessage, ObjectNotFound
from driftloop.history.redrives import SentAgain
from driftloop.ports import ObjectStore, Record
from driftloop.redrive.changes import Change
from driftloop.redrive.contract import Contract
from driftloop.redrive.original import Changed, Original, id_of, original
from driftloop.redrive.selection import Selection
from driftloop.service.quarantine import fetched, read_quarantined

Verdict = Literal["send", "refused", "sent before", "left out"]


class Planned(NamedTuple):
    """``changed``: what is sent, or what was refused as far as it came to be; ``why``: of any verdict but ``send``."""

    original: Original
    verdict: Verdict
    changed: Changed | None = None
    why: str | None = None


class Plan(NamedTuple):
    """``sent``: the redrives of a message that are on record. ``skip``: those that the run before this one had sent."""

    contract: Contract
    change: Change
    store: ObjectStore
    sent: Callable[[str], tuple[SentAgain, ...]]
    again: bool = False
    skip: frozenset[str] = frozenset()

    def of(self, record: Record) -> Planned:
        """Raises TransientError when the store that holds the message does not answer."""
        found = read_quarantined(record)
        redrive = id_of(found)
        before = self.sent(redrive)
        if before and (not self.again or redrive in self.skip):
            return Planned(original(record, found, redrive), "sent before", None, _told(before[-1]))
        try:
            one = original(record, fetched(found, self.store), redrive)
        except (ObjectNotFound, IntegrityError) as exc:
            return Planned(original(record, found, redrive), "refused", None, f"its bytes are not in the store any more: {exc}")
        made: Changed | None = None
        try:
            made = self.change.of(one)
            if made is None:
                return Planned(one, "left out", None, f"{self.change.words}: nothing to send")
            return Planned(one, "send", self.contract.check(one, made))
        except InvalidMessage as exc:
            return Planned(one, "refused", made, str(exc))


def chosen(records: Iterable[Record], wanted: Selection) -> Iterator[Record]:
    """Those that are meant, each message once: quarantine may hold one twice."""
    seen: set[str] = set()
    for record in records:
        found = read_quarantined(record)
        if not wanted.takes(record, found):
            continue
        redrive = id_of(found)
        if redrive not in seen:
            seen.add(redrive)
            yield record


def _told(done: SentAgain) -> str:
    return (
        f"{done.by} sent it again on {done.at:%Y-%m-%d %H:%M} ({done.change}), to partition {done.message.new_partition} "
        f"offset {done.message.new_offset}"
    )
