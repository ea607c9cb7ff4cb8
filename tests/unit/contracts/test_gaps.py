"""Where a reader may go on after what was given up."""

from datetime import UTC, datetime

import pytest

from driftloop.contracts.gaps import AcceptedGap, after_gaps, gap_key, gaps_prefix


def gap(start: int, end: int, *, topic_id: str = "T", partition: int = 0) -> AcceptedGap:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    return AcceptedGap(topic="s.labels", topic_id=topic_id, partition=partition, start=start, end=end, reason="r", by="Kim", at=at)


@pytest.mark.parametrize(
    ("offset", "after"),
    [(0, 0), (4, 4), (5, 12), (6, 12), (9, 12), (11, 12), (12, 12), (20, 25), (24, 25), (25, 25)],
)
def test_gaps_that_join_are_one(offset: int, after: int) -> None:
    gaps = [gap(20, 25), gap(9, 12), gap(5, 10), gap(0, 99, topic_id="another"), gap(0, 99, partition=1)]
    assert after_gaps(gaps, "T", 0, offset) == after


def test_a_stream_lists_its_own_in_order_of_offsets() -> None:
    keys = [gap_key("s", gap(start, start + 1)) for start in (9, 10, 100)]
    assert keys == sorted(keys)
    assert all(key.startswith(gaps_prefix("s")) for key in keys)
    assert not gap_key("s-2", gap(0, 1)).startswith(gaps_prefix("s"))
