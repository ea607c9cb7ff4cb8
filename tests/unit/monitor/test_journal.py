"""What the journal holds after events that are repeated, contradicted or somebody else's."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.unit.monitoring.traffic import window

from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import DecisionMade, Event, RetrainRequested
from driftloop.contracts.topics import DECISIONS, RETRAIN_REQUESTS
from driftloop.ports import Record
from driftloop_monitor.journal import Journal

YES = DecisionMade(
    model="shop", kind="retrain", accepted=True, reason="the window closed", window=window(0), rule="0" * 64, evidence={}, request_id="r0"
)


def record(event: Event, *, id: str, topic: str = DECISIONS, offset: int = 0, **about: Any) -> Record:
    value, headers = encode_event(event, envelope(event, id=id, source="driftloop/test", subject="shop", **about))
    return Record(topic, 0, offset, 0, None, value, headers)


def test_the_first_decision_with_an_id_stands_whatever_a_second_says() -> None:
    no = msgspec.structs.replace(YES, accepted=False, reason="another worker, which has read less", request_id=None)
    journal = Journal("shop")
    journal.take(record(YES, id="d0"))
    journal.take(record(no, id="d0", offset=1))
    assert journal.decision("d0") == YES
    assert journal.decisions() == [YES]


def test_decisions_come_in_the_order_of_their_windows_not_of_the_log() -> None:
    later = msgspec.structs.replace(YES, window=window(1))
    journal = Journal("shop")
    journal.take(record(later, id="d1"))
    journal.take(record(YES, id="d0", offset=1))
    assert journal.decisions() == [YES, later]


def test_decisions_on_other_models_are_none_of_its_business() -> None:
    journal = Journal("shop")
    journal.take(record(msgspec.structs.replace(YES, model="cafe"), id="d0"))
    assert journal.decisions() == []


def test_a_request_that_comes_again_is_in_flight_since_it_first_came() -> None:
    asked = RetrainRequested(model="shop", reason="window", detail="", window=window(0), requested_by="test")
    first, again, between = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 3, 2))
    journal = Journal("shop")
    journal.take(record(asked, id="r0", topic=RETRAIN_REQUESTS, time=first))
    journal.take(record(asked, id="r0", topic=RETRAIN_REQUESTS, time=again))
    assert journal.in_flight(first) == ("r0",)
    assert journal.in_flight(between) == ()
