"""Text as values: what is meant, what is missing, and what is told with its row."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.datafile.reading import read_table
from driftloop.datafile.values import NotOfType, TimeWriting, as_type
from driftloop.errors import UserError


def text(*values: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.string())])


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_as_they_were_written(values: list[float | None]) -> None:
    assert as_type(text(*(None if v is None else repr(v) for v in values)), "number").to_pylist() == values


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_whole_numbers_come_back_as_they_were_written(values: list[int | None]) -> None:
    assert as_type(text(*(None if v is None else str(v) for v in values)), "integer").to_pylist() == values


@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda t: t.replace(tzinfo=UTC)), min_size=1))  # noqa: DTZ001
def test_times_come_back_as_they_were_written(times: list[datetime]) -> None:
    assert as_type(text(*(time.isoformat() for time in times)), "datetime").to_pylist() == times
    naive = text(*(time.strftime("%Y-%m-%d %H:%M:%S.%f") for time in times))
    assert as_type(naive, "datetime", TimeWriting(None, "UTC")).to_pylist() == times


def test_words_for_missing_numbers_are_words_where_categories_stand() -> None:
    assert as_type(text("1", "NA", "nan"), "number").to_pylist() == [1.0, None, None]
    assert as_type(text("1", "NA", "nan"), "category").to_pylist() == ["1", "NA", "nan"]


def test_yes_and_no_are_true_and_false() -> None:
    assert as_type(text("yes", "No", None, "TRUE", "0"), "boolean").to_pylist() == [True, False, None, True, False]
    with pytest.raises(NotOfType, match="1 of 2 are not, such as 'maybe' in row 2"):
        as_type(text("yes", "maybe"), "boolean")


def test_what_is_no_number_is_told_with_its_row() -> None:
    with pytest.raises(NotOfType, match="not double in every row: 2 of 4 are not, such as '1,5' in row 2, 'x' in row 4"):
        as_type(text("1", "1,5", None, "x"), "number")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("2024-01-01T00:00:00Z", "2024-01-02 00:00"), "1 times with an offset from UTC and others without, such as '2024-01-02 00:00'"),
        (("2024-01-01", "03.01.2024"), r"written in 2 ways, of 2 values 1 as ISO 8601 .* 1 as %d.%m.%Y \('03.01.2024', row 2\)"),
    ],
)
def test_times_that_are_written_in_several_ways_are_told(values: tuple[str, ...], said: str) -> None:
    with pytest.raises(NotOfType, match=said):
        as_type(text(*values), "datetime")


def test_a_column_of_a_csv_is_what_is_declared_whatever_its_rows_look_like(tmp_path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("code,size\n" + "007,1\n" * 400_000 + "008,1.5\n")  # longer than the block that a reader looks at first
    table = read_table(path)
    assert as_type(table.column("code"), "category")[0].as_py() == "007"
    assert as_type(table.column("size"), "number")[400_000].as_py() == 1.5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3\n", "Expected 2 columns, got 1"),
        (b"a,a\n1,2\n", "1 names stand over several columns: a; give each column its own"),
        (b"a,b\n", "the file has no rows"),
        (b"", "Empty CSV file"),
        (b"a,b\nx,1\n\xe4,1\n", r"line 3 is no UTF-8 \(byte 0xe4\): save it as that, or, if it is Latin-1, iconv -f ISO-8859-1 -t UTF-8"),
        (b"gr\xf6\xdfe,b\n1,1\n", r"line 1 is no UTF-8 \(byte 0xf6\)"),
        ("a,b\n1,2\n".encode("utf-16"), "the file is in UTF-16, and UTF-8 is read: save it as that, or iconv -f UTF-16 -t UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_told(tmp_path, content: bytes, said: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_table(path)


def test_semicolons_quotes_and_a_byte_order_mark_are_no_hindrance(tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('\ufeffa;b\n" x ";"one\ntwo"\n;2\n')
    assert read_table(path).to_pylist() == [{"a": "x", "b": "one\ntwo"}, {"a": None, "b": "2"}]


def test_a_column_of_json_lines_with_two_types_is_told(tmp_path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": "x"}\n')
    with pytest.raises(UserError, match=r"a column holds two types: .* changed from number to string in row 1; write it as one of them"):
        read_table(path)
