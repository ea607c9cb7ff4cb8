"""A service that stops at a gap says so over HTTP before it ends."""

import threading
import time

import httpx
import pytest
from prometheus_client import REGISTRY
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.service.test_partition_worker import Scene
from tests.unit.service.test_start import FakeServer, logging_as_before, parts

from driftloop.errors import GapError, NotDelivered, OutOfTurn
from driftloop.service import gap_told
from driftloop.service.gap_told import ToldGap
from driftloop.service.health import Waiting
from driftloop.service.process import EXIT_FAILED, Stop
from driftloop.service.start import Parts, started

__all__ = ["FakeServer", "logging_as_before", "parts"]
WHERE = "shop.labels-0: messages 3 to 9 are gone; see `driftloop lake accept-gap --help` for the way on"


def test_a_gap_is_told_for_a_while_and_then_ends_the_process(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{parts.settings.http_port}"
    ended: list[BaseException] = []

    def run() -> None:
        try:
            with started(parts, Waiting("framed-0", "")):
                raise GapError(WHERE)
        except GapError as exc:
            ended.append(exc)

    monkeypatch.setattr(gap_told, "GAP_SECONDS", 600.0)
    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: REGISTRY.get_sample_value("driftloop_gap") == 1, "the gap is told")
    ready = httpx.get(f"{url}/readyz")
    assert (ready.status_code, ready.json()["reason"]) == (503, WHERE)
    assert httpx.get(f"{url}/status").json()["gap"] == WHERE
    assert "driftloop_gap 1.0" in httpx.get(f"{url}/metrics").text
    parts.stop.request()  # a person has had enough
    thread.join(PATIENCE_SECONDS)
    assert str(ended[0]) == WHERE


@pytest.mark.parametrize("error", [NotDelivered, OutOfTurn])
def test_what_nobody_can_give_up_is_no_gap_and_ends_the_process_at_once(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, error: type[GapError]
) -> None:
    told: list[BaseException] = []
    monkeypatch.setattr(ToldGap, "tell", lambda self, exc, stop: told.append(exc))
    with pytest.raises(error), started(parts, Waiting("framed-0", "")):
        raise error("the broker was away for a minute")
    assert told == []


def test_a_service_without_a_gap_says_what_it_says() -> None:
    told = ToldGap(Waiting("i", "waiting"))
    assert told.ready() == (False, {"reason": "waiting"})
    assert told.status() == {"instance": "i", "gap": None}
    assert REGISTRY.get_sample_value("driftloop_gap") == 0


def test_a_part_that_has_asked_for_the_stop_at_the_gap_is_told_about_all_the_same() -> None:
    stop, told = Stop(), ToldGap(Waiting("i", ""), seconds=0.3)
    stop.request(EXIT_FAILED)
    began = time.monotonic()
    told.tell(GapError(WHERE), stop)
    assert time.monotonic() - began >= 0.3


def test_a_member_that_stops_at_a_gap_leaves_its_partitions_to_the_others() -> None:
    scene = Scene()
    scene.send(5)
    scene.broker.expire(next(iter(scene.broker.partitions("t"))), before=3)
    with pytest.raises(GapError):
        scene.worker.run(scene.consumer)
    assert scene.consumer.assignment() == frozenset()
    assert not scene.handler.drained
