"""Whatever a record of the log holds, every reader goes on behind it, and they agree."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.registry.commands import MODEL, NOW, folded, measured, move_alias, promote, register_version
from tests.unit.registry.corrections import project, proposal, recalibrate

from driftloop import metrics
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.events import TrainingFailed
from driftloop.contracts.topics import REGISTRY_LOG
from driftloop.history.registry_follower import after_record as taken
from driftloop.ports import Record
from driftloop.registry.log_record import CLOCK_SKEW

CHAMPION = (project(), register_version("r1"), promote("r1", epoch=0))


def record(value, headers, *, offset, at=NOW):
    return Record(REGISTRY_LOG, 0, offset, int(at.timestamp() * 1000), None, value, headers)


def of(event, *, offset, at=NOW):
    return record(*encode_event(event, envelope(event, id="x", source="test", subject="m", time=NOW)), offset=offset, at=at)


def passed_over():
    return metrics.UNREADABLE_RECORDS.labels(REGISTRY_LOG)._value.get()


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.replace(b'"rows":1000', b'"rows":1' + b"0" * 40),
        lambda value: value.replace(b'"expected_epoch":1', b'"expected_epoch":18446744073709551616'),
        lambda value: value.replace(b'"gain_lower":0.01', b'"gain_lower":1e999'),
        lambda value: value.replace(b'"gain_lower":0.01', b'"gain_lower":NaN'),
        lambda value: value.replace(b"2026-05-03T14:00:00Z", b"0001-01-01T00:00:00+01:00"),
        lambda value: value.replace(b"2026-05-03T14:00:00Z", b"9999-12-31T23:59:59-01:00"),
    ],
)
def test_command_with_a_value_that_cannot_be_is_passed_over_and_counted(change):
    state, _ = folded(*CHAMPION, register_version("r2"))
    value, headers = encode_event(
        command := promote("r2", epoch=1, measured=measured(against=1)), envelope(command, id="x", source="t", subject="m")
    )
    assert change(value) != value
    before = passed_over()

    after = taken(state, record(change(value), headers, offset=state.next_offset))

    assert after == state.skip(state.next_offset)
    assert passed_over() == before + 1


def test_what_is_no_command_is_passed_over():
    state, _ = folded(*CHAMPION)
    event = TrainingFailed(model="m", request_id="r", answers=("r",), reason="why")

    assert taken(state, of(event, offset=3)) == state.skip(3)


def test_command_that_the_fold_breaks_on_is_passed_over(monkeypatch):
    state, _ = folded(*CHAMPION)
    monkeypatch.setattr("driftloop.registry.log_record.fold", lambda *_: 1 / 0)
    before = passed_over()

    assert taken(state, of(move_alias(1, epoch=1, command_id="m"), offset=3)) == state.skip(3)
    assert passed_over() == before + 1


def test_clock_far_ahead_does_not_hold_an_alias_in_the_future():
    state, _ = folded(*CHAMPION)
    ahead = move_alias(1, epoch=1, command_id="ahead", at=datetime(9999, 1, 1, tzinfo=UTC))
    state = taken(state, of(ahead, offset=3))
    state = taken(state, of(move_alias(1, epoch=2, command_id="now", at=NOW + timedelta(hours=2)), offset=4, at=NOW + timedelta(hours=2)))

    model = state.model(MODEL)
    assert [move.moved.since for move in model.history.values() if move.moved][-2:] == [NOW + CLOCK_SKEW, NOW + timedelta(hours=2)]
    assert model.alias_at("champion", NOW + timedelta(hours=3)).epoch == 3


def test_clock_that_is_a_little_ahead_is_believed():
    state, _ = folded(*CHAMPION)
    state = taken(state, of(move_alias(1, epoch=1, command_id="m", at=NOW + timedelta(minutes=59)), offset=3))

    assert state.model(MODEL).aliases["champion"].since == NOW + timedelta(minutes=59)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def records(draw):
    """Commands with any field changed to anything, and any bytes at all."""
    command = draw(
        st.sampled_from(
            (
                *CHAMPION,
                move_alias(1, epoch=1, command_id="m"),
                promote("r1", epoch=1, measured=measured(against=1)),
                recalibrate(),
                recalibrate(proposal=proposal(of="candidate"), request_id="r1"),
            )
        )
    )
    value, headers = encode_event(command, envelope(command, id="x", source="t", subject="m"))
    fields = msgspec.json.decode(value)
    for name in draw(st.sets(st.sampled_from(sorted(fields)), max_size=3)):
        fields[name] = draw(json)
    if isinstance(inner := fields.get("recalibration"), dict):  # the numbers are as much anybody's as the fields beside them
        inner |= draw(
            st.dictionaries(
                st.sampled_from(["kind", "strength", "intercept", "slope", "shift", "weights"]),
                json | st.floats() | st.just("shift"),
                max_size=2,
            )
        )
    value = draw(st.just(msgspec.json.encode(fields)) | st.binary(max_size=50) | st.none())
    name, junk = draw(st.tuples(st.sampled_from([h[0] for h in headers]), st.binary(max_size=30)))
    headers = draw(st.just(headers) | st.just(tuple((k, junk if k == name else v) for k, v in headers)))
    return value, headers, draw(st.integers(-1, 2**63 - 1))


@settings(deadline=None, max_examples=300)
@given(st.lists(records(), max_size=6))
def test_fold_survives_any_record_and_two_readers_agree(found):
    one, other = folded(*CHAMPION)[0], folded(*CHAMPION)[0]
    for n, (value, headers, timestamp) in enumerate(found):
        at = Record(REGISTRY_LOG, 0, 3 + n, timestamp, None, value, headers)
        one, other = taken(one, at), taken(other, at)

    assert one.next_offset == 3 + len(found)
    assert one.digest() == other.digest()
