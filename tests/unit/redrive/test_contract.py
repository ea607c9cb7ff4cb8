"""Nothing is sent that would be rejected again, or that would be another event."""

from typing import Any

import msgspec
import pytest
from tests.unit.redrive.messages import SCHEMA, as_original, rejected, row, truth

from driftloop.contracts.headers import WATERMARK, header
from driftloop.errors import InvalidMessage
from driftloop.redrive.changes import AsItWas, set_fields
from driftloop.redrive.contract import MOST_BYTES, Contract
from driftloop.redrive.original import Changed

CONTRACT = Contract(SCHEMA)
LABELS = "s.labels"


def checked(value: Any, topic: str = "s.requests", change: Any = None, headers: Any = ()) -> Changed:
    message = as_original(rejected(value, topic=topic, headers=headers))
    made = (change or AsItWas()).of(message)
    assert made is not None
    return CONTRACT.check(message, made)


def test_what_the_contract_takes_is_sent() -> None:
    assert msgspec.json.decode(checked(row(1)).value or b"") == row(1)
    assert msgspec.json.decode(checked(truth(1, label="yes"), LABELS, set_fields(["label=true"])).value or b"") == truth(1)


@pytest.mark.parametrize(
    ("value", "topic", "said"),
    [
        (row(1, amount="much"), "s.requests", "'amount': expected a number"),
        (b"{", "s.requests", "broken JSON"),
        (truth(1, label="yes"), LABELS, "'label'"),
        (row(1), LABELS, "'label'"),
    ],
)
def test_what_would_be_rejected_again_is_refused_with_the_reason(value: Any, topic: str, said: str) -> None:
    with pytest.raises(InvalidMessage, match=said):
        checked(value, topic)


def test_an_event_keeps_its_id() -> None:
    with pytest.raises(InvalidMessage, match="its event id is 'e1', and would be 'e2'"):
        checked(row(1), change=set_fields(["event_id=e2"]))
    with pytest.raises(InvalidMessage, match="an event keeps its id"):
        checked(truth(1), LABELS, set_fields(["event_id=e2"]))


@pytest.mark.parametrize("before", ["", 5, None, "x" * 1000])
def test_an_event_without_an_id_that_can_be_one_may_get_one(before: Any) -> None:
    assert msgspec.json.decode(checked(row(1, event_id=before), change=set_fields(["event_id=e2"])).value or b"")["event_id"] == "e2"


@pytest.mark.parametrize("topic", ["", "s.inferences", "orders"])
def test_a_topic_that_is_not_to_be_written_is_refused(topic: str) -> None:
    with pytest.raises(InvalidMessage, match=r"it came from|it does not say"):
        checked(row(1), topic)


def test_a_promise_of_another_moment_is_not_made_again() -> None:
    sent = checked(row(1), headers=((WATERMARK, b"2099-01-01T00:00:00Z"), ("trace", b"1")))
    assert header(sent.headers, WATERMARK) is None
    assert header(sent.headers, "trace") == b"1"
    with pytest.raises(InvalidMessage, match="it is a watermark"):
        checked(None, headers=((WATERMARK, b"2099-01-01T00:00:00Z"),))


def test_a_header_that_cannot_be_sent_is_said() -> None:
    with pytest.raises(InvalidMessage, match="the name of its header"):
        checked(row(1), headers=(("\udcff", b"1"),))


def test_what_the_topic_does_not_take_is_refused_before_it_is_sent() -> None:
    with pytest.raises(InvalidMessage, match="takes at most"):
        checked(row(1, note="x" * MOST_BYTES))
