"""Which messages are meant, and what would become of each."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.redrive.messages import SCHEMA, rejected, row

from driftloop.adapters.memory import MemoryStore
from driftloop.contracts.values import RedrivenMessage
from driftloop.errors import UserError
from driftloop.history.redrives import SentAgain
from driftloop.ports import Record
from driftloop.redrive.changes import AsItWas, Change
from driftloop.redrive.contract import Contract
from driftloop.redrive.original import id_of
from driftloop.redrive.planning import Plan, chosen
from driftloop.redrive.selection import Selection, selection
from driftloop.service.quarantine import quarantine_message, read_quarantined


def plan(*, sent: tuple[str, ...] = (), again: bool = False, skip: frozenset[str] = frozenset(), change: Change | None = None) -> Plan:
    def done(id: str) -> tuple[SentAgain, ...]:
        message = RedrivenMessage(id=id, quarantined="0:0", topic="s.requests", partition=0, offset=0, new_partition=0, new_offset=9)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        return (SentAgain(at=at, run="r", by="ada", why="w", change="as it was", message=message),) if id in sent else ()

    return Plan(Contract(SCHEMA), change or AsItWas(), MemoryStore(), done, again, skip)


def redrive(record: Record) -> str:
    return id_of(read_quarantined(record))


def test_a_message_that_was_sent_before_is_not_sent_again_unless_that_is_asked_for() -> None:
    record = rejected(row(1))
    once = (redrive(record),)
    assert plan().of(record).verdict == "send"
    found = plan(sent=once).of(record)
    assert (found.verdict, found.changed) == ("sent before", None)
    assert found.why is not None
    assert "ada sent it again on 2026-01-01 00:00" in found.why
    assert plan(sent=once, again=True).of(record).verdict == "send"
    assert plan(sent=once, again=True, skip=frozenset(once)).of(record).verdict == "sent before"


def test_a_message_that_would_be_rejected_again_is_refused_with_what_was_made_of_it() -> None:
    found = plan().of(rejected(row(1, amount="much")))
    assert found.verdict == "refused"
    assert found.changed is not None
    assert found.why is not None
    assert "'amount'" in found.why


def test_a_message_whose_bytes_are_gone_from_the_store_is_refused() -> None:
    large = Record("s.requests", 0, 7, 0, None, b"x" * (9 * 1024 * 1024), ())
    stored = quarantine_message("s.quarantine", large, "too large", MemoryStore())
    found = plan().of(Record("s.quarantine", 0, 0, 0, stored.key, stored.value, stored.headers))
    assert (found.verdict, found.original.offset) == ("refused", 7)
    assert found.why is not None
    assert "not in the store" in found.why


def test_a_message_that_quarantine_holds_twice_is_one() -> None:
    records = [rejected(row(1), at=5, place=0), rejected(row(1), at=5, place=1), rejected(row(1), at=6, place=2)]
    assert [record.offset for record in chosen(records, Selection())] == [0, 2]


def test_one_that_came_from_the_same_place_of_a_topic_made_anew_is_another() -> None:
    assert redrive(rejected(row(1), at=5)) != redrive(rejected(row(2), at=5))


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (selection(["0:1"], everything=False, reason=None), [1]),
        (selection(["s.requests/0/12"], everything=False, reason=None), [2]),
        (selection([], everything=False, reason="FAR"), [0, 2]),
        (selection([], everything=True, reason=None), [0, 1, 2]),
        (selection([], everything=False, reason=None, since=datetime(1970, 1, 2, tzinfo=UTC)), [1, 2]),
        (selection([], everything=False, reason="far", until=datetime(1970, 1, 2, tzinfo=UTC)), [0]),
    ],
)
def test_what_is_meant(wanted: Selection, places: list[int]) -> None:
    day = 86_400_000
    records = [
        rejected(row(n), at=10 + n, place=n, reason="too far" if n != 1 else "near")._replace(timestamp_ms=n * day) for n in range(3)
    ]
    assert [record.offset for record in chosen(records, wanted)] == places


@pytest.mark.parametrize(
    "given",
    [
        {"ids": []},
        {"ids": ["0:1"], "reason": "x"},
        {"ids": ["0:1"], "everything": True},
        {"ids": ["nonsense"]},
        {"ids": [], "since": datetime(2026, 2, 1, tzinfo=UTC), "until": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_says_nothing_or_two_things_is_said(given: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        selection(**({"everything": False, "reason": None} | given))
