"""Inferences to committed lake, and what one more percent of rows costs the store."""

import io
import time
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from bench.clocks import BenchError, rates, spending, watch
from bench.figures import Aim, Figure, Limit
from bench.flights import flights_project, scored_flights
from bench.inference_messages import ROWS_PER_MESSAGE, InferenceWriter
from bench.registering import Registered
from bench.surroundings import Service, Surroundings
from driftloop.contracts.headers import watermark_header
from driftloop.contracts.topics import inferences
from driftloop.rows.schemas import lake_schema

ROWS = 1_000_000
COMMIT_ROWS = 10_000  # the service's own default
PARTITIONS = 4
LIMIT_COMMITS = 12
PATIENCE_SECONDS = 60.0


def measure(around: Surroundings) -> list[Figure]:
    """The backlog is there before the process starts. Rows are appended to the same table afterwards."""
    name = "bench-ingest"
    project = flights_project(name)
    around.say(f"scoring and sending {ROWS:,} inferences")
    rows = scored_flights(around.flights, project, ROWS + ROWS // 100)
    with around.producer() as producer:
        Registered(around, producer, project)
        writer = InferenceWriter(producer, inferences(name), PARTITIONS)
        writer.send(rows.slice(0, ROWS))
        with around.service("ingest", name) as service:
            around.say("taking them into the lake")
            found = rates(watch(service.pid, lambda: ROWS_PER_MESSAGE * _durable_messages(service, name), ROWS))
            commits = service.status()["tables"]["inferences"]
            before = _stored_bytes(around, name)
            around.say("appending one more percent")
            writer.send(rows.slice(ROWS))
            for partition in range(PARTITIONS):
                promise = rows.column("event_time")[-1].as_py() + timedelta(days=1)
                producer.send(inferences(name), None, partition=partition, headers=(watermark_header(promise),))
            producer.flush()
            _wait_for_commit(service, rows.num_rows // ROWS_PER_MESSAGE + PARTITIONS, name)
            after = _stored_bytes(around, name)
    grown = _growth_of_live_traffic(around, rows)
    around.say("limit: encoding and putting alone")
    encoding, file_bytes = _encode_and_put(around, rows.slice(0, LIMIT_COMMITS * COMMIT_ROWS), project.schema)
    share = 100 * ROWS // 100 / ROWS
    return [
        Figure(
            name="ingest",
            what=f"{ROWS:,} flights inferences in {ROWS_PER_MESSAGE:,}-row messages to lake, {COMMIT_ROWS:,}-row commits, one process",
            value=found.per_cpu_second,
            unit="rows/s per core",
            limit=Limit("pyarrow's Parquet encoding and a put of the same rows, no Kafka and no Delta commit", encoding),
            aim=Aim(100_000, "at least"),
            note=f"{found.per_second:,.0f} rows/s of wall time on this machine at this moment; table version {commits}",
        ),
        Figure(
            name="store-growth",
            what=f"growth of all below lake/, Delta log included, when {ROWS // 100:,} rows are appended to {ROWS:,} that came like them",
            value=grown,
            unit="% of the store",
            limit=Limit("the appended rows' share of the rows", share),
            aim=Aim(1.1, "at most"),
            note=f"as they come: each commit holds rows of all {PARTITIONS} partitions, a file each",
        ),
        Figure(
            name="growth-backlog",
            what="the same after a backlog, which is read partition by partition: its commits hold one or two large files",
            value=100 * (after - before) / before,
            unit="% of the store",
            limit=Limit("the appended rows' share of the rows", share),
            aim=Aim(1.1, "at most"),
            note=f"{before / ROWS:.1f} bytes per row stored, {file_bytes:.1f} in bare {COMMIT_ROWS:,}-row Parquet files",
        ),
    ]


def _growth_of_live_traffic(around: Surroundings, rows: pa.Table) -> float:
    """In percent; the rows are sent a commit's worth at a time, each when the one before is in the lake."""
    name = "bench-growth"
    project = flights_project(name)
    around.say(f"sending {rows.num_rows:,} inferences to another stream as fast as the lake takes them")
    with around.producer() as producer:
        Registered(around, producer, project)
        writer, before = InferenceWriter(producer, inferences(name), PARTITIONS), 0
        with around.service("ingest", name) as service:
            for at in range(0, rows.num_rows, COMMIT_ROWS):
                before = _stored_bytes(around, name)
                writer.send(rows.slice(at, COMMIT_ROWS))
                _wait_for_commit(service, (at + COMMIT_ROWS) // ROWS_PER_MESSAGE, name)
            return 100 * (_stored_bytes(around, name) - before) / before


def _durable_messages(service: Service, stream: str) -> int:
    partitions: dict[str, int] = service.status().get("partitions", {})
    return sum(offset for key, offset in partitions.items() if key.startswith(f"{stream}.inferences"))


def _wait_for_commit(service: Service, messages: int, stream: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _durable_messages(service, stream) < messages:
        if time.monotonic() > deadline:
            raise BenchError(f"the appended rows were not committed within {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.05)


def _stored_bytes(around: Surroundings, stream: str) -> int:
    return sum(found.size for found in around.store.list(f"lake/{stream}/inferences/"))


def _encode_and_put(around: Surroundings, rows: pa.Table, schema: object) -> tuple[float, float]:
    """Rows per CPU second, and bytes per row."""
    total = rows.num_rows
    extra = {"partition": pa.repeat(pa.scalar(0, pa.int32()), total), "offset": pa.repeat(pa.scalar(0, pa.int64()), total)}
    for name, column in extra.items():
        rows = rows.append_column(lake_schema(schema, "inferences").field(name), column)  # type: ignore[arg-type]
    strings = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    size = 0
    with spending() as spent:
        for at in range(0, total, COMMIT_ROWS):
            sink = io.BytesIO()
            pq.write_table(rows.slice(at, COMMIT_ROWS), sink, compression="zstd", compression_level=1, use_dictionary=strings)
            around.store.put(f"bench/{at}.parquet", sink.getvalue())
            size += sink.tell()
        return total / spent().cpu, size / total
