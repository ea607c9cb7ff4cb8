"""What is left of a commit in the making when some of its partitions have another owner."""

from datetime import UTC, datetime

import pyarrow as pa

from driftloop.lake.commit import Flush
from driftloop.lake.cursors import Move
from driftloop.lake.parquet import encode_file

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def move(partition: int) -> Move:
    return Move(topic="labels", topic_id="id", partition=partition, start=0, end=5, cursor=f"c{partition}")


def flush(*partitions: int) -> Flush:
    rows = pa.table({"event_id": ["a"], "event_time": [NOW]})
    return Flush(
        moves=tuple(move(p) for p in partitions),
        files=tuple(encode_file(rows, topic_id="id", partition=p, first_offset=0) for p in partitions),
        watermarks=dict.fromkeys(partitions, NOW),
        caps_label_times=True,
    )


def test_the_rest_of_a_flush_keeps_all_that_it_says_of_its_rows() -> None:
    whole = flush(0, 1, 2)
    left = whole.without(frozenset({1}))
    assert left is not None
    assert [m.partition for m in left.moves] == [f.partition for f in left.files] == sorted(left.watermarks) == [0, 2]
    assert left.caps_label_times
    assert left.commit_id != whole.commit_id


def test_nothing_is_left_without_partitions() -> None:
    assert flush(0, 1).without(frozenset({0, 1})) is None
