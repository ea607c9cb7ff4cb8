"""A stream with a feature of every type, and what stands in its topics."""

from tests.support.traffic import START

from driftloop.adapters.memory import MemoryBroker
from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.ports import Record
from driftloop.rows.requests import RequestDecoder

FEATURES = tuple(Feature(name=f"a_{kind}", type=kind, required=False) for kind in COLUMN_TYPES)
SCHEMA = StreamSchema(stream="shop", features=(*FEATURES, Feature(name="n", type="number")), target=Target(name="late", type="boolean"))
PARTITIONS = 3
NAIVE = START.replace(tzinfo=None)


def rows(broker: MemoryBroker) -> list[dict]:
    decoder = RequestDecoder(SCHEMA)
    return [row for record in broker.records("shop.requests") for row in decoder.decode(record).rows.to_pylist()]


def record(broker: MemoryBroker, topic: str = "shop.requests") -> Record:
    [found] = broker.records(topic)
    return found
