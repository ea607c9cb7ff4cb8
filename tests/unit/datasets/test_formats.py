"""Class probabilities written out: an object where a format has objects, its text where it has none."""

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftloop.datasets.dataset import Dataset, in_memory
from driftloop.datasets.formats import write_rows
from driftloop.rows.schemas import CLASS_PROBABILITIES

SAID = [{"apple": 0.25, 'pear, "green"': 0.75}, None, {"apple": 1.0}]
TABLE = pa.table(
    {"event_id": ["a", "b", "c"], "probabilities": pa.array([said and list(said.items()) for said in SAID], CLASS_PROBABILITIES.type)}
)


def written(form: Any) -> io.BytesIO:
    sink = io.BytesIO()
    assert write_rows(TABLE.to_batches(max_chunksize=2), TABLE.schema, sink, form) == 3
    return io.BytesIO(sink.getvalue())


def test_csv_holds_them_as_json() -> None:
    rows = list(csv.DictReader(io.TextIOWrapper(written("csv"))))
    assert [json.loads(row["probabilities"]) if row["probabilities"] else None for row in rows] == SAID


def test_json_holds_them_as_objects() -> None:
    assert [row["probabilities"] for row in json.load(written("json"))] == SAID
    assert [json.loads(line)["probabilities"] for line in written("jsonl")] == SAID


def test_parquet_and_arrow_hold_them_as_they_are() -> None:
    assert pq.read_table(written("parquet")).cast(TABLE.schema).equals(TABLE)
    with pa.ipc.open_stream(written("arrow")) as reader:
        assert reader.read_all().equals(TABLE)


def test_pandas_has_dicts() -> None:
    dataset = Dataset(TABLE.schema, in_memory(lambda: TABLE), {})
    assert dataset.to_pandas()["probabilities"].tolist() == SAID


def test_polars_has_dicts() -> None:
    pytest.importorskip("polars")
    assert Dataset(TABLE.schema, in_memory(lambda: TABLE), {}).to_polars()["probabilities"].to_list() == SAID
