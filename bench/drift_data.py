"""Tables in order of event time, the example's flights or the parquet files of a folder, and series without drift made of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.clocks import BenchError
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.demo.example import DATA, example_folder

FOLDER = "DRIFTLOOP_EXTRA_DATA"
WINDOWS = 20  # of equal count, in a table
MOST_ROWS = 2_000  # of a window: of larger tables every so many-eth row
# What tells a row or its time, or is known only later.
LEFT_OUT = frozenset(
    {"sched_dep", "tailnum", "flight", "dep_delay", "arr_delay", "late", "year", "target_species", "date", "ridership", "traffic"}
)

Indices = npt.NDArray[np.int64]


class TimedTable(NamedTuple):
    """``rows``: features alone, numbers as float64 and categories as strings, in order of event time."""

    name: str
    rows: pa.Table
    schema: StreamSchema

    @property
    def per_window(self) -> int:
        return self.rows.num_rows // WINDOWS

    @property
    def numbers(self) -> list[str]:
        return [feature.name for feature in self.schema.features if feature.type == "number"]

    @property
    def categories(self) -> list[str]:
        return [feature.name for feature in self.schema.features if feature.type == "category"]


def timed_tables() -> Iterator[TimedTable]:
    """The example's flights, or every ``*.parquet`` of the folder that DRIFTLOOP_EXTRA_DATA names. Raises BenchError."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        yield timed_table(example_folder() / DATA)
        return
    paths = sorted(Path(folder).glob("*.parquet"))
    if not paths:
        raise BenchError(f"{FOLDER}={folder} has no .parquet files")
    for path in paths:
        yield timed_table(path)


def timed_table(path: Path) -> TimedTable:
    """By the first column that holds times, else in the file's order."""
    table = pq.read_table(path)
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    if times:
        table = table.take(pc.sort_indices(table, [(times[0], "ascending")]))
    step = max(1, table.num_rows // (WINDOWS * MOST_ROWS))
    table = table.take(pa.array(np.arange(0, table.num_rows, step)))
    columns: dict[str, pa.Array] = {}
    features = []
    for field in table.schema:
        if field.name in LEFT_OUT:
            continue
        category = pa.types.is_dictionary(field.type) or pa.types.is_string(field.type)
        columns[field.name] = table[field.name].cast(pa.string() if category else pa.float64())
        features.append(Feature(name=field.name, type="category" if category else "number"))
    schema = StreamSchema(stream=path.stem, features=tuple(features), target=Target(name="y", type="boolean"))
    return TimedTable(path.stem, pa.table(columns).combine_chunks(), schema)


def resampled(rows: int, wanted: int, mean_block: float, random: np.random.Generator) -> Indices:
    """Rows of a series without drift: blocks of geometric length from anywhere in the table, which goes on at its beginning
    (the stationary bootstrap, Politis and Romano 1994)."""
    found, length = [], 0
    while length < wanted:
        block = int(random.geometric(1 / mean_block))
        found.append((int(random.integers(rows)) + np.arange(block)) % rows)
        length += block
    return np.concatenate(found)[:wanted]
