"""What the applications send: what is good is read, what is bad is refused, by the decoders that the services use."""

from functools import cache
from pathlib import Path

import msgspec
import pytest
from bench.chaos.codecs import installed_codecs
from bench.chaos.messages import BAD_LABELS, BAD_ROWS, Message, Topic, bad_message
from bench.chaos.shops import SHOPS, START, Shop
from bench.chaos.traffic import TICKS_IN_A_WINDOW, Call, Traffic

from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.project.model import Project
from driftloop.project.reading import read_project
from driftloop.rows.labels import LabelDecoder
from driftloop.rows.requests import RequestDecoder

HISTORY = 2 * TICKS_IN_A_WINDOW
TICKS = range(6 * TICKS_IN_A_WINDOW)


@pytest.fixture(params=SHOPS, ids=[shop.name for shop in SHOPS])
def shop(request: pytest.FixtureRequest) -> Shop:
    return request.param


def project_of(shop: Shop, folder: Path) -> Project:
    return read_project(shop.write(folder))


def record(message: Message) -> Record:
    return Record(message.topic, 0, 0, 0, message.key, message.value, message.headers)


@cache
def everything(shop: Shop, seed: int = 1) -> tuple[list[Message], list[Call]]:
    traffic = Traffic(seed, shop, HISTORY)
    ticks = [traffic.tick(number) for number in TICKS]
    return [m for tick in ticks for m in tick.messages] + traffic.labels_after(len(TICKS)), [c for tick in ticks for c in tick.calls]


def test_good_messages_are_read_with_the_events_that_they_claim_and_bad_ones_are_refused(shop: Shop, tmp_path: Path) -> None:
    project = project_of(shop, tmp_path)
    rows, labels = RequestDecoder(project.schema), LabelDecoder(project.schema)
    messages, _ = everything(shop)
    for message in messages:
        try:
            table = rows.decode(record(message)).rows if message.topic == "requests" else labels.decode(record(message))
        except InvalidMessage:
            assert message.bad, message
        else:
            assert tuple(table.column("event_id").to_pylist()) == message.events, message
    assert {m.kind for m in messages} >= {"row", "Arrow", "duplicate", "label", "late label", "corrected label"}
    assert {m.kind for m in messages if m.topic == "requests" and m.bad} == {f"bad: {kind}" for kind in BAD_ROWS}
    assert {m.kind for m in messages if m.topic == "labels" and m.bad} == {f"bad: {kind}" for kind in BAD_LABELS}


def test_the_same_seed_sends_the_same_and_another_one_something_else() -> None:
    assert everything(SHOPS[0]) == everything.__wrapped__(SHOPS[0])
    assert everything(SHOPS[0]) != everything(SHOPS[0], seed=2)


def test_every_row_comes_once_by_the_stream_or_by_http_and_nearly_every_one_has_its_label(shop: Shop) -> None:
    messages, calls = everything(shop)
    streamed = [event for m in messages if m.kind in ("row", "Arrow") for event in m.events]
    called = [event for call in calls for event in call.events]
    assert sorted(streamed + called) == [shop.event_id(n) for n in range(len(streamed) + len(called))]
    labels = [m for m in messages if m.topic == "labels" and not m.bad and m.kind not in ("duplicate", "corrected label")]
    labelled = [event for m in labels for event in m.events]
    assert len(set(labelled)) == len(labelled)
    assert 0.9 < len(labelled) / len(streamed + called) < 1


def test_history_has_neither_calls_nor_rubbish(shop: Shop) -> None:
    traffic = Traffic(1, shop, HISTORY)
    for number in range(HISTORY):
        tick = traffic.tick(number)
        assert tick.calls == []
        assert not any(message.bad for message in tick.messages)


def test_rows_may_be_late_but_never_before_the_first_window(shop: Shop) -> None:
    traffic = Traffic(1, shop, HISTORY)
    times = [traffic.event_time(n) for n in range(1000)]
    assert times != sorted(times)
    assert min(times) == START


def test_a_bad_call_holds_a_good_row_that_must_not_be_recorded(shop: Shop) -> None:
    _, calls = everything(shop)
    bad = [call for call in calls if not call.events]
    assert len(bad) == len(TICKS) - HISTORY
    assert all("refused" in msgspec.json.decode(call.body)["dataframe_records"][0]["event_id"] for call in bad)


@pytest.mark.parametrize("topic", ["requests", "labels"])
def test_bad_messages_differ_in_their_bytes(topic: Topic) -> None:
    values = [bad_message(topic, n, f"mark-{n}").value for n in range(40)]
    with_value = [value for value in values if value is not None]
    assert len(set(with_value)) == len(with_value)


def test_what_is_sent_uncompressed_and_by_gzip_is_always_there() -> None:
    assert installed_codecs()[:2] == ("none", "gzip")
