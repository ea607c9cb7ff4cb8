"""Publish, store, acknowledge, in this order: a crash between two steps repeats them, and nothing is acknowledged unstored."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.monitoring.traffic import HOUR, REQUESTS, REQUESTS_ID, START, make_profile, make_project, make_rows, message

from driftloop.adapters.memory import MemoryBroker, MemoryStore
from driftloop.contracts.gaps import AcceptedGap, gap_key
from driftloop.errors import GapError
from driftloop.monitoring.partition_fold import PartitionFold
from driftloop.monitoring.partition_state import STATE_KEY, PartitionState, decode_state, stored_offset
from driftloop.service.accepted_gaps import AcceptedGaps
from driftloop.service.topic_ends import RequestsEnds
from driftloop.statistics.histograms import Counter
from driftloop_monitor import partition_runner
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.written_values import COMMIT
from driftloop_monitor.partition_runner import PartitionRunner

PROJECT = make_project()
COUNTER = Counter(make_profile(PROJECT, 1))


class Steps:
    """Changelog, publisher and acknowledgements of one partition; ``done`` has them in the order in which they happened."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.data: dict[bytes, bytes] = {}
        self.refusals = 0
        broker = MemoryBroker()
        broker.create_topic("shop.quarantine")
        fold = PartitionFold(PROJECT, 0, 1, lambda version: ("1" * 64, COUNTER), PartitionState(topic_id="t"), REQUESTS)
        self.table = DurableTable(self, partial(stored_offset, topic_id="t"))
        self.store = MemoryStore()
        self.runner = PartitionRunner(
            fold,
            stream=PROJECT.stream,
            values=self.table.open(0),
            profiles=SimpleNamespace(),
            publisher=self,
            quarantine=broker.producer(),
            store=self.store,
            gaps=AcceptedGaps(self.store, PROJECT.stream),
            requests=RequestsEnds(broker, PROJECT.requests_topic),
            ack=self.ack,
        )

    async def send_changelog(self, partition: int | None, key: Any, value: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            self.done.append("refused")
            raise ConnectionError("broker away")
        if key.endswith(b"/" + COMMIT):
            self.done.append(f"stored {int.from_bytes(value[8:])}")

    def publish(self, topic: str, event: Any, *, key: str, id: str | None = None) -> None:
        self.done.append(f"sketch of {event.rows} rows")

    async def ack(self, event: Any) -> None:
        self.done.append(f"acknowledged {event.message.offset}")

    def take(self, *messages: tuple[bytes, Any]) -> None:
        """Messages from offset 0 on; one that moves the end of the closed windows is stored at once."""

        async def work() -> None:
            for offset, (value, headers) in enumerate(messages):
                about = SimpleNamespace(topic="shop.inferences", partition=0, offset=offset, timestamp=0.0, key=None)
                about.value, about.headers = value, list(headers)
                await self.runner.handle(SimpleNamespace(message=about))

        asyncio.run(work())


@pytest.fixture(autouse=True)
def _no_flush_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_runner, "FLUSH_SECONDS", float("inf"))


def one_row_then_the_windows_end() -> list[tuple[bytes, Any]]:
    return [
        message(make_rows(PROJECT, [START]), 0),
        message(make_rows(PROJECT, []), 1, 1, watermark=START + HOUR),
    ]


def test_a_closed_window_is_published_then_stored_then_acknowledged() -> None:
    steps = Steps()
    steps.take(*one_row_then_the_windows_end())
    assert steps.done == ["stored 1", "acknowledged 0", "sketch of 1 rows", "stored 2", "acknowledged 1"]
    assert decode_state(steps.table.values(0)[STATE_KEY]).next_offset == steps.table.durable(0) == 2


def test_a_store_that_fails_is_tried_again_and_nothing_is_acknowledged_before() -> None:
    steps = Steps()
    steps.refusals = 2
    steps.take(*one_row_then_the_windows_end())
    assert steps.done[:4] == ["refused", "refused", "stored 1", "acknowledged 0"]


def rows_after_lost_requests() -> list[tuple[bytes, Any]]:
    """One request, then the five after it are lost."""
    return [message(make_rows(PROJECT, [START]), 0), message(make_rows(PROJECT, [START], first_request=6), 6)]


def test_requests_that_nobody_accounts_for_end_the_process_with_the_way_on() -> None:
    with pytest.raises(GapError, match=r"requests \[1, 6\) .* are not accounted for; see `driftloop lake accept-gap"):
        Steps().take(*rows_after_lost_requests())


def test_requests_that_were_given_up_end_nothing_and_the_rows_after_them_count() -> None:
    steps = Steps()
    gap = AcceptedGap(topic="shop.requests", topic_id=REQUESTS_ID, partition=0, start=1, end=6, reason="the disk", by="Kim", at=START)
    steps.store.put(gap_key(PROJECT.stream, gap), msgspec.json.encode(gap))
    steps.store.put(f"{gap_key(PROJECT.stream, gap)}-torn", b"no record")
    steps.take(*rows_after_lost_requests(), message(make_rows(PROJECT, []), 7, 7, watermark=START + HOUR))
    assert "sketch of 2 rows" in steps.done


def test_a_message_that_cannot_be_read_behind_requests_that_were_given_up_accounts_for_its_own() -> None:
    steps = Steps()
    gap = AcceptedGap(topic="shop.requests", topic_id=REQUESTS_ID, partition=0, start=1, end=6, reason="the disk", by="Kim", at=START)
    steps.store.put(gap_key(PROJECT.stream, gap), msgspec.json.encode(gap))
    before, (_, headers) = rows_after_lost_requests()
    after = message(make_rows(PROJECT, [START], first_request=7), 7)
    steps.take(before, (b"not an Arrow stream", headers), after, message(make_rows(PROJECT, []), 8, 8, watermark=START + HOUR))
    assert "sketch of 2 rows" in steps.done


def test_a_record_of_fewer_requests_is_no_permission() -> None:
    steps = Steps()
    gap = AcceptedGap(topic="shop.requests", topic_id=REQUESTS_ID, partition=0, start=1, end=5, reason="the disk", by="Kim", at=START)
    steps.store.put(gap_key(PROJECT.stream, gap), msgspec.json.encode(gap))
    with pytest.raises(GapError, match="not accounted for"):
        steps.take(*rows_after_lost_requests())
