"""The monitor: from messages in Kafka to counts that are stored."""

import asyncio
import time
from typing import Any

import numpy as np
import pyarrow as pa
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.clocks import PATIENCE_SECONDS, BenchError, rates, repeated, spending, watch
from bench.figures import Aim, Figure, Limit
from bench.inference_messages import ROWS_PER_MESSAGE, InferenceWriter, slices
from bench.registering import Registered
from bench.surroundings import Service, Surroundings
from bench.wide_stream import SCHEMA_WORDS, wide_profile, wide_project, wide_rows
from driftloop.contracts.topics import inferences
from driftloop.rows.arrow_stream import decode_table, encode_table
from driftloop.rows.schemas import inference_schema
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import Profile

MESSAGES = 1_600
DIFFERENT_MESSAGES = 40
PARTITIONS = 4
MIB = 1024 * 1024


def measure(around: Surroundings) -> list[Figure]:
    """The backlog is there before the worker starts; the end is when its table, and so its changelog, holds all counts."""
    name, total = "bench-monitor", MESSAGES * ROWS_PER_MESSAGE
    project = wide_project(name)
    rows = wide_rows(project.schema, DIFFERENT_MESSAGES * ROWS_PER_MESSAGE)
    profile = wide_profile(project, rows)
    around.say(f"sending {MESSAGES:,} messages of {ROWS_PER_MESSAGE:,} rows")
    with around.producer() as producer:
        Registered(around, producer, project).add_version(b"no model is asked for", profile.encode())
        writer = InferenceWriter(producer, inferences(name), PARTITIONS)
        for _ in range(MESSAGES // DIFFERENT_MESSAGES):
            writer.send(rows)
    around.say("folding them")
    with around.service("monitor", name) as service:
        found = rates(watch(service.pid, lambda: ROWS_PER_MESSAGE * _folded(service), total))
    around.say("limit: consuming and decoding alone")
    bare = asyncio.run(_consume_and_decode(around, inferences(name), inference_schema(project.schema)))
    decoding, counting = _decode_alone(rows, project.schema), _count_alone(rows, profile)
    what = f"Kafka to folded and stored counts, {SCHEMA_WORDS}, {ROWS_PER_MESSAGE:,}-row messages, one worker process"
    note = f"{found.per_second:,.0f} rows/s of wall time now; decoding alone {decoding:,.0f}, counting alone {counting:,.0f} rows/s"
    return [
        Figure(
            name="monitor",
            what=what,
            value=found.per_cpu_second,
            unit="rows/s per core",
            limit=Limit("the same messages only consumed (aiokafka) and decoded", bare),
            aim=Aim(400_000, "at least"),
            note=note,
        )
    ]


def _folded(service: Service) -> int:
    """Messages whose counts are stored once all are read, messages folded in memory until then."""
    status = service.status()
    folded, durable = (sum(status.get(key, {}).values()) for key in ("partitions", "durable"))
    return int(durable if folded >= MESSAGES else folded)


async def _consume_and_decode(around: Surroundings, topic: str, schema: pa.Schema) -> float:
    """Rows per CPU second of this process, with the client and the fetch size that faust has."""
    consumer = AIOKafkaConsumer(bootstrap_servers=around.addresses.kafka_bootstrap, max_partition_fetch_bytes=8 * MIB)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        messages, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        with spending() as spent:
            while messages < MESSAGES:
                if time.monotonic() > deadline:
                    raise BenchError(f"only {messages} of {MESSAGES} messages could be read")
                polled = await consumer.getmany(timeout_ms=500)
                for records in polled.values():
                    for record in records:
                        decode_table(record.value, schema)
                    messages += len(records)
            return messages * ROWS_PER_MESSAGE / spent().cpu
    finally:
        await consumer.stop()


def _decode_alone(rows: pa.Table, schema: Any) -> float:
    values = [encode_table(part.combine_chunks()) for part in slices(rows)]
    return repeated(lambda: [decode_table(value, inference_schema(schema)) for value in values], rows.num_rows, seconds=1.0)


def _count_alone(rows: pa.Table, profile: Profile) -> float:
    counter, parts = Counter(profile), [part.combine_chunks() for part in slices(rows)]
    return repeated(lambda: [np.asarray(counter.count(part)["$score"]) for part in parts], rows.num_rows, seconds=1.0)
