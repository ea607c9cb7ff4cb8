"""Whatever the records of control topics hold, the fold of a model's history goes on behind them, and answers what it is asked."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.history import facts

from driftloop import metrics
from driftloop.contracts.codec import EVENT_TYPES, Envelope, encode_event, envelope
from driftloop.contracts.events import Event, TrainingFailed
from driftloop.contracts.headers import Headers
from driftloop.history.events import Events
from driftloop.history.model_history import ModelHistory
from driftloop.ports import Record

TOLD: tuple[Event, ...] = (
    facts.requested(),
    facts.started("r1", "r0"),
    facts.completed("r1"),
    facts.failed("r2", "r3"),
    facts.decided(0, accepted=True),
    facts.judged("r1"),
    facts.performance(0),
    facts.drift(0),
    facts.reproduced(1),
)
BEYOND = (
    {"start": "0001-01-01T00:00:00+01:00", "end": "2026-01-01T00:00:00Z"},
    {"start": "2026-01-01T00:00:00Z", "end": "9999-12-31T23:59:59-01:00"},
)
CANNOT_BE: tuple[tuple[Event, dict[str, Any]], ...] = (
    *(
        (event, {"window": window})
        for window in BEYOND
        for event in (facts.requested(), facts.decided(0), facts.performance(0), facts.drift(0))
    ),
    (facts.started("r1"), {"pins": msgspec.to_builtins(facts.pins()) | {"champion_epoch": 2**64}}),
    (facts.completed("r1"), {"rows": 2**63}),
    (facts.completed("r1"), {"pins": msgspec.to_builtins(facts.pins()) | {"seed": -(2**63) - 1}}),
    (facts.decided(0), {"evidence": {"rows": 2**70}}),
    (facts.performance(0), {"revision": 10**40}),
    (facts.performance(0), {"revision": -1}),
    (facts.performance(0), {"rows": 0, "labelled": 100}),
    (facts.performance(0), {"rows": -5, "labelled": -5}),
    (facts.decided(0), {"evidence": msgspec.to_builtins(facts.decided(0).evidence) | {"labelled": -(10**18)}}),
    (facts.decided(0), {"evidence": msgspec.to_builtins(facts.decided(0).evidence) | {"labels_landed_since": -1}}),
    (facts.drift(0), {"closing_offsets": {"0": 2**70}}),
    (facts.reproduced(1), {"version": 2**63}),
)


@pytest.mark.parametrize(("event", "change"), CANNOT_BE, ids=lambda part: type(part).__name__)
def test_a_fact_that_cannot_be_is_passed_over_and_counted_whatever_its_kind(event: Event, change: dict[str, Any]) -> None:
    history = ModelHistory()
    fold = Events(history)
    value, headers = encode_event(event, envelope(event, id="e", source="test", subject="m", time=facts.START))
    forged = msgspec.json.encode(msgspec.json.decode(value) | change)
    before = metrics.UNREADABLE_RECORDS.labels("decisions")._value.get()

    fold.fold(Record("decisions", 0, 0, 0, None, forged, headers))

    assert history.stored() == ModelHistory().stored()
    assert metrics.UNREADABLE_RECORDS.labels("decisions")._value.get() == before + 1
    fold.fold(Record("decisions", 0, 1, 0, None, value, headers))  # the honest one of that id is heard
    assert history.stored() != ModelHistory().stored()


def test_an_event_at_which_the_fold_breaks_in_a_way_nobody_foresaw_is_passed_over_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    history = ModelHistory()
    fold, real = Events(history), history.add

    def breaks(event: Event, about: Envelope) -> None:
        if isinstance(event, TrainingFailed):
            raise ZeroDivisionError("nobody foresaw this")
        real(event, about)

    monkeypatch.setattr(history, "add", breaks)
    before = metrics.UNREADABLE_RECORDS.labels("decisions")._value.get()
    for offset, event in enumerate((facts.failed("r1"), facts.decided(0))):
        value, headers = encode_event(event, envelope(event, id=f"e{offset}", source="test", subject="m", time=facts.START))
        fold.fold(Record("decisions", 0, offset, 0, None, value, headers))
    assert [decision.window for decision in history.retrain_decisions()] == [facts.window(0)]
    assert metrics.UNREADABLE_RECORDS.labels("decisions")._value.get() == before + 1


def asked(history: ModelHistory) -> list[Any]:
    """Every question that there is."""
    window = facts.window(0)
    return [
        history.retrain_decisions(),
        history.retrain_decision(window),
        history.promotion_decision("r1"),
        history.decisions(),
        history.carried("m"),
        *((history.requested(r), history.answered(r), history.request(r), history.started(r), history.ended(r)) for r in ("r0", "r1", "")),
        history.waiting("m"),
        history.in_flight(datetime(1, 1, 2, tzinfo=UTC)),
        history.last_completed("m"),
        history.runs(),
        history.performance_report("m", window, None),
        history.drift_report(window),
        history.drift_reports(),
        history.performance_reports(),
        history.reproductions(),
    ]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([2**63, -(2**63) - 1, 10**40]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["start", "end", "value", "psi", ""]), inner, max_size=3),
    max_leaves=6,
)
windows = st.builds(lambda start, end: {"start": str(start), "end": str(end)}, st.datetimes(), st.datetimes())


@st.composite
def records(draw: st.DrawFn) -> tuple[bytes | None, Headers]:
    """Facts with any field changed to anything, of any type, and any bytes at all."""
    event = draw(st.sampled_from(TOLD))
    value, headers = encode_event(
        event, envelope(event, id=draw(st.sampled_from("abc")), source="test", subject="m", time=draw(st.datetimes()).replace(tzinfo=UTC))
    )
    fields = msgspec.json.decode(value)
    for name in draw(st.sets(st.sampled_from(sorted(fields)), max_size=3)):
        fields[name] = draw(windows if name == "window" else json)
    changed = draw(st.just(msgspec.json.encode(fields)) | st.binary(max_size=50) | st.none())
    kind = draw(st.none() | st.sampled_from(sorted(EVENT_TYPES)))
    junk = draw(st.dictionaries(st.sampled_from([h[0] for h in headers]), st.binary(max_size=30), max_size=1))
    return changed, tuple((k, kind.encode() if kind and k == "ce_type" else junk.get(k, v)) for k, v in headers)


@settings(deadline=None, max_examples=200)
@given(st.lists(records(), max_size=8), st.integers(0, 8))
def test_a_history_survives_any_records_and_one_that_was_stored_on_the_way_is_the_same(
    found: list[tuple[bytes | None, Headers]], stored_at: int
) -> None:
    one, other = ModelHistory(), ModelHistory()
    fold, again = Events(one), Events(other)
    for n, (value, headers) in enumerate(found):
        if n == stored_at:
            again.restore(fold.stored())
        taken = Record("decisions", 0, n, 0, None, value, headers)
        fold.fold(taken)
        if n >= stored_at:
            again.fold(taken)

    answers = asked(one)
    if len(found) > stored_at:
        assert fold.stored() == again.stored()
        assert answers == asked(other)
