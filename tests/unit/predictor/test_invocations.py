"""What a body of ``POST /invocations`` may cost before it is understood."""

import tracemalloc

import pytest
from tests.support.traffic import small_schema

from driftloop.errors import InvalidMessage
from driftloop.rows.requests import RequestDecoder
from driftloop_predictor.invocations import MAX_ROWS, TooManyRows, read_rows

DECODER = RequestDecoder(small_schema("s"), generated=lambda: "generated")


def peak_bytes(body, error):
    """Of memory, while the body is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(error):
            read_rows(body, DECODER)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def split(columns, rows):
    names = b",".join(b'"' + name + b'"' for name in columns)
    return b'{"dataframe_split":{"columns":[' + names + b'],"data":[' + b",".join(rows) + b"]}}"


def test_long_name_of_an_unknown_column_is_not_repeated_in_every_row():
    body = split([b"x" * 1_000_000], [b"[1]"] * MAX_ROWS)

    assert peak_bytes(body, InvalidMessage) < 10 * len(body)  # repeated, it would be a thousand times as much


def test_rows_are_counted_before_anything_is_made_of_them():
    body = split([b"amount"], [b"[1]"] * 200_000)

    assert peak_bytes(body, TooManyRows) < 60 * len(body)


@pytest.mark.parametrize("form", ["instances", "dataframe_records"])
def test_other_forms_are_counted_first_too(form):
    body = b'{"' + form.encode() + b'":[' + b",".join([b"{}"] * 200_000) + b"]}"

    assert peak_bytes(body, TooManyRows) < 60 * len(body)


def test_columns_that_the_stream_does_not_know_are_ignored_wherever_they_stand():
    body = split(
        [b"unknown", b"amount", b"also", b"kind", b"event_id", b"night"],
        [b'[{"a": [1]}, 1.5, "]", "A", "e1", true]', b'[null, 2.5, 7, null, "e2", null]'],
    )

    rows = read_rows(body, DECODER).select(["amount", "kind", "event_id"]).to_pylist()

    assert rows == [{"amount": 1.5, "kind": "A", "event_id": "e1"}, {"amount": 2.5, "kind": None, "event_id": "e2"}]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([b"7"], "row 0: Expected `array`"),
        ([b"[1]", b"[1,2]"], "row 1: 2 values for 1 columns"),
        ([b"[]"], "row 0: 0 values for 1 columns"),
    ],
)
def test_row_that_is_not_as_wide_as_the_columns_is_named(rows, reason):
    with pytest.raises(InvalidMessage, match=reason):
        read_rows(split([b"amount"], rows), DECODER)
