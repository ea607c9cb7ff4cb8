"""Messages and sketches that no honest process writes: each is set aside, and what comes after it is counted."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from prometheus_client import REGISTRY
from tests.unit.monitor.test_assembly_runner import Changelog, Runner
from tests.unit.monitoring.teller import DIGEST, PROFILE, sketch
from tests.unit.monitoring.test_partition_fold import PROJECT, at, new_fold
from tests.unit.monitoring.traffic import REQUESTS, REQUESTS_ID, make_rows, message, window

from driftloop.adapters.memory import MemoryBroker, MemoryStore
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.headers import Headers, watermark_header
from driftloop.contracts.topics import inferences, quarantine, requests
from driftloop.errors import InvalidMessage, OutOfTurn, TransientError
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import stored_offset
from driftloop.ports import MessageConsumer, TopicInfo, TopicPartition
from driftloop.rows.request_ranges import NO_REQUESTS
from driftloop.service.accepted_gaps import AcceptedGaps
from driftloop.service.attempts import MAX_ATTEMPTS
from driftloop.service.event_worker import INVALID_IN_A_ROW
from driftloop.service.quarantine import fetched, read_quarantined
from driftloop.service.topic_ends import RequestsEnds
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.early_messages import EarlyMessages
from driftloop_monitor.faust_support.records import HeadersBehindHole
from driftloop_monitor.partition_runner import PartitionRunner, _written
from driftloop_monitor.profiles import UNKNOWN_SECONDS, Profiles

CALENDAR = pa.timestamp("us", tz="UTC")


class Folding:
    """A fold runner with a broker and a store in memory."""

    def __init__(self) -> None:
        self.broker, self.store, self.acknowledged = MemoryBroker(), MemoryStore(), list[int]()
        self.topic = quarantine(PROJECT.stream)
        self.broker.create_topic(self.topic)
        self.times_away = 0
        self.profiles = SimpleNamespace(load=self._load)

        async def ack(event: Any) -> None:
            self.acknowledged.append(event.message.offset)

        self.runner = PartitionRunner(
            new_fold(requests=NO_REQUESTS),
            stream=PROJECT.stream,
            values=DurableTable(Changelog(), partial(stored_offset, topic_id="t")).open(0),
            profiles=self.profiles,  # type: ignore[arg-type]
            publisher=SimpleNamespace(publish=lambda *args, **named: None),
            quarantine=self.broker.producer(),
            store=self.store,
            gaps=AcceptedGaps(self.store, PROJECT.stream),
            requests=RequestsEnds(self, PROJECT.requests_topic),
            ack=ack,
        )

    def _load(self, version: int) -> None:
        raise InvalidMessage(f"names version {version} of shop, which is not in the registry log")

    def take(self, offset: int, value: bytes | None, headers: Headers | HeadersBehindHole, timestamp: float = 0.0) -> None:
        found = SimpleNamespace(
            topic=inferences(PROJECT.stream), partition=0, offset=offset, timestamp=timestamp, key=None, value=value, headers=headers
        )

        async def taken() -> None:
            await self.runner.handle(SimpleNamespace(message=found))
            await self.runner.flush()

        asyncio.run(taken())

    def requests(self, more: int) -> None:
        """So many more in the topic."""
        topic = requests(PROJECT.stream)
        self.broker.create_topic(topic)
        for _ in range(more):
            self.broker.producer().send(topic, b"{}", partition=0)

    def describe(self, names: Sequence[str]) -> Mapping[str, TopicInfo]:
        """With ``reader``, keeps ``ports.Topics``: the topic of requests has the id that the tests' messages name."""
        if self.times_away:
            self.times_away -= 1
            raise TransientError("broker away")
        return {name: found._replace(id=REQUESTS_ID) for name, found in self.broker.describe(names).items()}

    def reader(self, tps: Sequence[TopicPartition]) -> MessageConsumer:
        return self.broker.reader(tps)

    @property
    def fold(self) -> PartitionFold:
        return self.runner.fold

    def rejected(self) -> list[tuple[int, str]]:
        found = [fetched(read_quarantined(r), self.store) for r in self.broker.records(self.topic)]
        return [(q.offset, q.reason) for q in found]


def far(years_us: int) -> pa.Table:
    rows = make_rows(PROJECT, [at(0.1), at(0.2)])
    times = pa.array([years_us, years_us], pa.int64()).cast(CALENDAR)
    return rows.set_column(rows.schema.get_field_index("event_time"), rows.schema.field("event_time"), times)


def of_partition(partition: int) -> tuple[bytes, Headers]:
    return message(make_rows(PROJECT, [at(0.1)]), 0, partition=partition)


def named_column() -> tuple[bytes, Headers]:
    """An Arrow stream with a column name that is no UTF-8."""
    rows = make_rows(PROJECT, [at(0.1)])
    value, headers = message(rows.rename_columns(["amoune" if n == "amount" else n for n in rows.schema.names]), 0)
    return value.replace(b"amoune", b"amoun\xff"), headers


BEYOND = b'{"topic_id":"t","partition":0,"start":0,"end":%d}' % 2**70
FOREIGN: dict[str, tuple[bytes | None, Headers]] = {
    "an event time beyond the calendar": message(far(2**62), 0),
    "an event time before it": message(far(-(2**62)), 0),
    "a range that no partition has": (b"", (("driftloop-request-range", BEYOND),)),
    "a range of another partition": of_partition(3),
    "a column name that is no text": named_column(),
    "a watermark beyond the calendar": (b"", (("driftloop-watermark", b"0001-01-01T00:00:00+01:00"),)),
    "a version that nobody has registered": message(make_rows(PROJECT, [at(0.1)], version=77), 0),
    "a null value": (None, ()),
    "headers of any bytes": (b"x", (("\udcff", b"\xff"),)),
    "twelve mebibytes": (b"x" * (12 * 1024 * 1024), ()),
}


@pytest.mark.parametrize("bad", FOREIGN.values(), ids=FOREIGN)
def test_a_message_that_no_predictor_writes_is_quarantined_and_the_next_is_counted(bad: tuple[bytes | None, Headers]) -> None:
    folding = Folding()
    folding.take(0, *bad)
    start = folding.fold.state().requests.get(REQUESTS_ID, 0)  # a rejected message still accounts for its requests
    folding.take(1, *message(make_rows(PROJECT, [at(0.1), at(0.2)], first_request=start), start))
    assert [offset for offset, _ in folding.rejected()] == [0]
    assert sum(w.rows for w in folding.fold.state().windows) == 2
    assert folding.acknowledged == [0, 1]


@pytest.mark.parametrize("end", [3, 1, 2**40], ids=["narrow", "by one", "wide"])
@pytest.mark.parametrize("readable", [True, False])
def test_a_forged_range_beyond_the_requests_is_quarantined_and_those_to_come_are_counted(readable: bool, end: int) -> None:
    """It made them all seem known, and their rows were in no report from then on."""
    folding = Folding()
    folding.requests(0)
    folding.times_away = 1
    value, headers = message(make_rows(PROJECT, [at(0.1)]), 0, end)
    folding.take(0, value if readable else b"not an Arrow stream", headers)
    folding.requests(2)
    folding.take(1, *message(make_rows(PROJECT, [at(0.1), at(0.2)]), 0))
    assert [offset for offset, _ in folding.rejected()] == [0]
    assert sum(w.rows for w in folding.fold.state().windows) == 2
    assert folding.fold.state().requests == {REQUESTS_ID: 2}
    assert folding.acknowledged == [0, 1]


def test_the_range_that_was_forged_once_is_taken_when_its_requests_are_there() -> None:
    folding = Folding()
    folding.requests(0)
    for offset in (0, 1):
        folding.take(offset, *message(make_rows(PROJECT, [at(0.1)]), 0))
        folding.requests(1)
    assert [offset for offset, _ in folding.rejected()] == [0]
    assert folding.fold.state().requests == {REQUESTS_ID: 1}


def test_a_range_that_the_requests_reach_or_of_requests_that_are_no_more_is_believed() -> None:
    for there in (10, None):
        folding = Folding()
        if there is not None:
            folding.requests(there)
        folding.take(0, b"", message(make_rows(PROJECT, []), 0, 10)[1])
        assert folding.rejected() == []
        assert folding.fold.state().requests == {REQUESTS_ID: 10}


@pytest.mark.parametrize("time", [datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)])
def test_rows_and_watermarks_at_the_calendars_ends_are_folded_and_stored(time: datetime) -> None:
    fold = new_fold()
    fold.add(0, *message(make_rows(PROJECT, [time, at(0.1)]), 0))
    fold.add(1, b"", (watermark_header(time),))
    fold.drain()
    assert fold.state().encode()
    assert fold.next_offset == 2


@pytest.mark.parametrize("timestamp", [0.0, -1.0, 253_380_000_000.0, 1e300])
def test_a_watermark_of_the_year_9999_closes_nothing_whenever_its_message_says_it_was_written(timestamp: float) -> None:
    folding = Folding()
    folding.take(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    before = folding.fold.closed_up_to
    folding.take(1, b"", (watermark_header(datetime(9999, 12, 1, tzinfo=UTC)),), timestamp)
    assert folding.fold.next_offset == 2
    assert folding.fold.closed_up_to == before


def test_a_message_at_which_the_fold_fails_again_and_again_is_quarantined(monkeypatch: pytest.MonkeyPatch) -> None:
    folding, calls = Folding(), []
    add = PartitionFold.add

    def broken(self: PartitionFold, offset: int, value: bytes | None, headers: Headers, written: datetime | None) -> int:
        calls.append(offset)
        if offset == 0:
            raise ZeroDivisionError("nobody foresaw this")
        return add(self, offset, value, headers, written)

    monkeypatch.setattr(PartitionFold, "add", broken)
    folding.fold.tell_requests(REQUESTS)  # so that the second message is added once
    folding.take(0, *message(make_rows(PROJECT, [at(0.1)]), 0))
    folding.take(1, *message(make_rows(PROJECT, [at(0.1)], first_request=1), 1))
    assert calls == [0] * MAX_ATTEMPTS + [1]
    ((offset, reason),) = folding.rejected()
    assert offset == 0
    assert "ZeroDivisionError: nobody foresaw this" in reason
    assert sum(w.rows for w in folding.fold.state().windows) == 1


def behind_hole(headers: Headers, since: int) -> HeadersBehindHole:
    made = HeadersBehindHole(headers)
    made.since = since
    return made


def test_offsets_of_aborted_transactions_are_no_gap_but_missing_messages_are() -> None:
    folding = Folding()
    folding.runner._early = EarlyMessages(patience_seconds=0)
    value, headers = message(make_rows(PROJECT, [at(0.1)]), 0)
    folding.take(0, value, headers)
    value, headers = message(make_rows(PROJECT, [at(0.2)], first_request=1), 1)
    folding.take(100_005, value, behind_hole(headers, since=1))
    assert folding.fold.next_offset == 100_006
    value, headers = message(make_rows(PROJECT, [at(0.3)]), 2)
    with pytest.raises(OutOfTurn, match=r"message 100010 came where 100006 was due$"):  # nothing that anybody could give up
        folding.take(100_010, value, behind_hole(headers, since=100_008))


def test_a_version_that_stays_unknown_does_not_exist() -> None:
    now = [0.0]
    registry = SimpleNamespace(state=lambda: SimpleNamespace(model=lambda name: None))
    profiles = Profiles("shop", registry, MemoryStore(), monotonic=lambda: now[0])  # type: ignore[arg-type]
    with pytest.raises(TransientError):
        profiles.load(7)
    now[0] = UNKNOWN_SECONDS
    with pytest.raises(InvalidMessage, match="version 7 of shop, which is not in the registry log"):
        profiles.load(7)


class Assembling(Runner):
    """A board runner whose profile is known, fed with any bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.runner._profiles.profile = lambda version: (DIGEST, PROFILE)
        self.runner._invalid_seconds = 0.0

    def give(self, offset: int, value: bytes | None, headers: Any) -> None:
        message = SimpleNamespace(topic="window-sketches", partition=0, offset=offset, value=value, headers=headers)

        async def ack(event: Any) -> None:
            self.acknowledged.append(event.message.offset)

        asyncio.run(self.runner.handle(SimpleNamespace(message=message), ack))


def encoded(found: Any) -> tuple[bytes, Headers]:
    return encode_event(found, envelope(found, id="s", source="test", subject=PROJECT.stream))


def altered(**fields: Any) -> tuple[bytes, Headers]:
    value, headers = encoded(sketch(0))
    return msgspec.json.encode(msgspec.json.decode(value) | fields), headers


def part(**changes: Any) -> list[dict[str, Any]]:
    (honest,) = sketch(0).sketches
    return [msgspec.to_builtins(honest) | changes]


FORGED: dict[str, tuple[bytes | None, Any]] = {
    "a closing offset that no partition has": altered(closing_offset=2**70),
    "a partition beyond the topic's": altered(partition=5),
    "a partition beyond the topic's, which it says has more": altered(partition=5, partitions=6),
    "more partitions than can be counted to, of another incarnation": altered(topic_id="elsewhere", partitions=2**62),
    "more rows than anybody can decide on": altered(rows=10**15, late_rows=0),
    "more late rows than rows": altered(late_rows=10**15),
    "more rows of a version than rows": altered(sketches=part(rows=10**15)),
    "more rows in a bin than rows": altered(sketches=part(counts={name: [10**18] * c.size for name, c in PROFILE.columns.items()})),
    "messages that are yet to come": altered(closing_offset=2**62),
    "a window that is yet to come": altered(partition=1, window={"start": "9000-01-01T00:00:00Z", "end": "9000-01-02T00:00:00Z"}),
    "columns of another stream": altered(sketches=part(counts={"height": [1, 2]})),
    "fewer bins than the profile": altered(sketches=part(counts={name: [1] for name in PROFILE.columns})),
    "negative counts": altered(sketches=part(counts={name: [-1] * column.size for name, column in PROFILE.columns.items()})),
    "another profile": altered(sketches=part(profile="f" * 64)),
    "two sketches of one version": altered(sketches=2 * part(rows=0, counts={name: [0] * c.size for name, c in PROFILE.columns.items()})),
    "a window beyond the calendar": altered(window={"start": "0001-01-01T00:00:00+01:00", "end": "2026-01-01T00:00:00Z"}),
    "no event": (b"junk", ()),
    "a header key that is no text": (b"junk", (("\udcff", None),)),
    "an event time that is none": (b"{}", [*encoded(sketch(0))[1][:-2], ("ce_time", b"0001-01-01T00:00:00+01:00")]),
}


@pytest.mark.parametrize("bad", FORGED.values(), ids=FORGED)
def test_a_sketch_that_no_monitor_writes_is_passed_over_and_the_window_is_reported_from_the_others(bad: tuple[bytes | None, Any]) -> None:
    board, before = Assembling(), passed_over()
    board.give(0, *bad)
    assert passed_over() == before + 1
    for n, partition in enumerate((0, 1)):
        board.give(1 + n, *encoded(sketch(partition)))
    assert passed_over() == before + 1
    (report,) = board.reports.published
    (told,) = board.runner.assembler.complete()
    assert told.summary is not None
    assert (set(report.closing_offsets), report.rows, report.late_rows, told.summary.rows) == ({"0", "1"}, 200, 0, 200)
    assert max(report.closing_offsets.values()) <= 100  # more than there are would be waited for for ever
    assert board.acknowledged == [0, 1, 2]
    for n, partition in enumerate((0, 1)):
        board.give(3 + n, *encoded(sketch(partition, 1)))
    assert [report.window for report in board.reports.published] == [window(0), window(1)]


def passed_over() -> float:
    return REGISTRY.get_sample_value("driftloop_quarantined_total", {"topic": "window-sketches"}) or 0.0


def test_a_sketch_of_a_worker_that_had_lost_the_profile_is_taken() -> None:
    board = Assembling()
    board.give(0, *altered(sketches=part(counts={}, profile="f" * 64)))
    board.give(1, *encoded(sketch(1)))
    (report,) = board.reports.published
    assert (set(report.closing_offsets), report.rows) == ({"0", "1"}, 200)


def test_many_sketches_that_are_none_do_not_stop_the_monitor() -> None:
    board = Assembling()
    for offset in range(2 * INVALID_IN_A_ROW):
        board.give(offset, b"junk", ())
    for n, partition in enumerate((0, 1)):
        board.give(2 * INVALID_IN_A_ROW + n, *encoded(sketch(partition)))
    assert len(board.reports.published) == 1


def test_many_sketches_that_are_none_are_passed_over_slowly() -> None:
    board = Assembling()
    board.runner._invalid_seconds = 0.2
    began = time.monotonic()
    for offset in range(INVALID_IN_A_ROW + 2):
        board.give(offset, b"junk", ())
    assert time.monotonic() - began >= 3 * 0.2


@pytest.mark.parametrize("said", [253370764800.0, 1e30, -1e30, float("nan"), None], ids=["9999", "no time", "none before", "nan", "none"])
def test_a_message_was_written_by_now_whatever_its_time_says(said: float | None) -> None:
    before = datetime.now(UTC)
    assert before <= _written(SimpleNamespace(timestamp=said)) <= datetime.now(UTC)  # type: ignore[arg-type]


def test_a_sketch_at_which_the_report_fails_again_and_again_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Assembling()
    poison = msgspec.structs.replace(sketch(1), closing_offset=99)
    real, calls = board.runner._report, []

    async def failing(held: Any) -> None:
        if held.by_partition[1].closing_offset == 99:
            calls.append(held)
            raise ZeroDivisionError("nobody foresaw this")
        await real(held)

    monkeypatch.setattr(board.runner, "_report", failing)
    board.give(0, *encoded(sketch(0)))
    board.give(1, *encoded(poison))
    assert len(calls) == MAX_ATTEMPTS
    board.give(2, *encoded(sketch(1)))
    (report,) = board.reports.published
    assert report.closing_offsets["1"] == sketch(1).closing_offset


def test_offsets_without_a_sketch_are_no_gap() -> None:
    board = Assembling()
    board.give(0, *encoded(sketch(0)))
    value, headers = encoded(sketch(1))
    board.give(7, value, behind_hole(headers, since=1))
    assert len(board.reports.published) == 1
