"""A stream on the broker in memory, and what sends to it."""

from collections.abc import Iterator

import pytest
from tests.unit.producing.shop import PARTITIONS, SCHEMA

from driftloop.adapters.memory import MemoryBroker
from driftloop.adapters.memory_reports import MemoryReportingProducer
from driftloop.producing import Producer


@pytest.fixture
def broker() -> MemoryBroker:
    made = MemoryBroker()
    for topic in ("shop.requests", "shop.labels"):
        made.create_topic(topic, PARTITIONS)
    return made


@pytest.fixture
def producer(broker: MemoryBroker) -> Iterator[Producer]:
    made = Producer(schema=SCHEMA, through=MemoryReportingProducer(broker))
    yield made
    made.close()


@pytest.fixture
def slow(broker: MemoryBroker) -> MemoryReportingProducer:
    return MemoryReportingProducer(broker, hold=True)
