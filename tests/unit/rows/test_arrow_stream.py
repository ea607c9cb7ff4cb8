"""Arrow batches from strangers: exactly the expected columns, bounded before anything is decompressed."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.errors import InvalidMessage
from driftloop.rows import arrow_stream as arrow_codec

SCHEMA = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("x", pa.float64())])
ROWS = pa.table({"id": ["a", "b"], "x": [1.0, None]}, schema=SCHEMA)


def encode(table: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_rows_come_back_whatever_the_compression(compression: str | None) -> None:
    assert arrow_codec.decode_table(encode(ROWS, compression=compression), SCHEMA).equals(ROWS)


def test_columns_may_come_in_another_order_and_optional_ones_may_be_absent() -> None:
    assert arrow_codec.decode_table(encode(ROWS.select(["x", "id"])), SCHEMA).equals(ROWS)
    without = arrow_codec.decode_table(encode(ROWS.select(["id"])), SCHEMA, optional=frozenset(["x"]))
    assert without.column("x").null_count == 2


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_decompression_bomb_is_refused_before_it_is_decompressed(compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encode(pa.table({"id": [""] * 9_000_000, "x": [0.0] * 9_000_000}, schema=SCHEMA), compression=compression)
    assert len(bomb) < 1_000_000
    monkeypatch.setattr(pa.ipc, "open_stream", lambda *_: pytest.fail("was opened"))
    with pytest.raises(InvalidMessage, match="would decode to more"):
        arrow_codec.decode_table(bomb, SCHEMA)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (ROWS.select(["id"]), r"missing columns \['x'\]"),
        (ROWS.append_column("y", pa.array([1, 2])), r"unknown columns \['y'\]"),
        (pa.table({"id": ["a"], "x": ["1"]}), "column 'x' is string, expected double"),
        (pa.table({"id": [None], "x": [1.0]}, schema=pa.schema([("id", pa.string()), ("x", pa.float64())])), "'id' has nulls"),
        (pa.table({"id": ["a"] * 100_001, "x": [1.0] * 100_001}, schema=SCHEMA), "more than 100000 rows"),
    ],
)
def test_another_schema_is_refused_naming_the_column(table: pa.Table, reason: str) -> None:
    with pytest.raises(InvalidMessage, match=reason):
        arrow_codec.decode_table(encode(table), SCHEMA)


def test_null_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="null value"):
        arrow_codec.decode_table(None, SCHEMA)


@given(st.data())
def test_damaged_bytes_are_invalid_or_still_rows_but_never_crash(data: st.DataObject) -> None:
    damaged = bytearray(encode(ROWS, compression=data.draw(st.sampled_from([None, "zstd"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    for candidate in (bytes(damaged), bytes(damaged[:cut])):
        try:
            assert arrow_codec.decode_table(candidate, SCHEMA).schema == SCHEMA
        except InvalidMessage:
            continue
