"""What the monitor publishes of an incident: with the report that changes it, the same once more under the same id."""

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.monitor.test_assembly_runner import Changelog, inferences_of
from tests.unit.monitoring.teller import DIGEST, PROJECT
from tests.unit.monitoring.test_verdict import CALIBRATED, of_rows, traffic
from tests.unit.monitoring.traffic import window

from driftloop.adapters.memory import SystemClock
from driftloop.contracts.codec import encode_event, envelope
from driftloop.contracts.topics import DRIFT_REPORTS, INCIDENTS
from driftloop.errors import TransientError
from driftloop.monitoring.assembly import stored_offset
from driftloop_monitor.assembly_runner import AssemblyRunner
from driftloop_monitor.faust_support.durable_table import DurableTable


class Published:
    """Notes what was published. ``failing``: of so many publications the last fails."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, Any]] = []
        self.failing: int | None = None

    def publish(self, topic: str, event: Any, *, key: str, id: str | None = None) -> None:
        assert key == PROJECT.model
        if self.failing is not None:
            self.failing -= 1
            if self.failing == 0:
                self.failing = None
                raise TransientError("the broker is away")
        self.told.append((topic, id, event))

    def incidents(self) -> list[tuple[str, int]]:
        return [(event.state, event.windows) for topic, _, event in self.told if topic == INCIDENTS]


class Monitor:
    def __init__(self) -> None:
        self.published, self.table = Published(), DurableTable(Changelog(), partial(stored_offset, topic_id="t"))
        self.table.place(0, 0)
        self.runner = self._runner()

    def _runner(self) -> AssemblyRunner:
        return AssemblyRunner(
            PROJECT,
            0,
            topic_id="t",
            values=self.table.open(0),
            profiles=SimpleNamespace(profile=lambda _: (DIGEST, CALIBRATED)),
            publisher=self.published,
            inferences=inferences_of(partitions=1, messages=100),
            clock=SystemClock(),
        )

    def start_again(self) -> None:
        self.runner = self._runner()

    def handle(self, offset: int, n: int, by: float) -> None:
        counted = msgspec.structs.replace(of_rows(traffic(400, by=by)), window=window(n), partitions=1, closing_offset=10 + offset)
        value, headers = encode_event(counted, envelope(counted, id=f"s{offset}", source="test", subject=PROJECT.stream))
        message = SimpleNamespace(topic="window-sketches", partition=0, offset=offset, value=value, headers=list(headers))

        async def ack(event: Any) -> None: ...

        asyncio.run(self.runner.handle(SimpleNamespace(message=message), ack))


def test_an_incident_is_told_with_the_reports_and_goes_on_after_a_restart() -> None:
    monitor = Monitor()
    monitor.handle(0, 0, 0.0)
    monitor.handle(1, 1, 3.0)
    monitor.start_again()
    monitor.handle(2, 2, 3.0)
    monitor.handle(3, 3, 0.0)
    assert monitor.published.incidents() == [("opened", 1), ("changed", 2), ("closed", 2)]
    assert [topic for topic, _, _ in monitor.published.told] == [
        DRIFT_REPORTS, DRIFT_REPORTS, INCIDENTS, DRIFT_REPORTS, INCIDENTS, DRIFT_REPORTS, INCIDENTS
    ]  # fmt: skip


@pytest.mark.parametrize("failing", [1, 2])  # the report, or the incident
def test_what_failed_half_way_is_told_again_under_the_same_ids(failing: int) -> None:
    monitor, whole = Monitor(), Monitor()
    for one in (monitor, whole):
        one.handle(0, 0, 3.0)
    monitor.published.failing = failing
    with pytest.raises(TransientError):
        monitor.handle(1, 1, 3.0)
    monitor.start_again()
    monitor.handle(1, 1, 3.0)
    whole.handle(1, 1, 3.0)
    assert {found for _, found, _ in monitor.published.told} == {found for _, found, _ in whole.published.told}
    assert monitor.published.incidents()[-1] == ("changed", 2)
