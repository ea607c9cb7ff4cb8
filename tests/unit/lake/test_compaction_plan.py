"""Which files are merged: few per size class, neighbours in time, and nothing over and over again."""

from datetime import UTC, datetime, timedelta

import pytest

from driftloop.lake.compaction_plan import CompactionRules, plan
from driftloop.lake.table import FileEntry

START = datetime(2024, 1, 1, tzinfo=UTC)
RULES = CompactionRules(target_bytes=1_000_000, target_rows=100_000, fan_in=8)


def entry(n, *, size=10_000, rows=100, hours=1.0, path=None):
    begin = START + timedelta(hours=n)
    return FileEntry(path or f"0/{n}-{n:064x}.parquet", size, rows, begin, begin + timedelta(hours=hours))


def test_fewer_files_than_the_fan_in_are_left_alone():
    assert plan([entry(n) for n in range(7)], RULES) == []


def test_as_many_as_the_fan_in_become_one_group():
    files = [entry(n) for n in range(8)]
    assert plan(files, RULES) == [tuple(files)]


def test_neighbours_in_time_go_together_whatever_the_order_they_came_in():
    files = [entry(n, size=60_000) for n in range(40)]
    groups = plan(list(reversed(files)), RULES)
    assert groups == [tuple(files[:16]), tuple(files[16:32]), tuple(files[32:])]


def test_no_group_is_larger_than_the_target():
    files = [entry(n, size=60_000, rows=9_000) for n in range(100)]
    for group in plan(files, RULES):
        assert sum(f.size for f in group) <= RULES.target_bytes
        assert sum(f.rows for f in group) <= RULES.target_rows


@pytest.mark.parametrize("full", [{"size": 500_000}, {"rows": 50_000}])
def test_a_file_of_half_the_target_is_never_touched_again(full):
    files = [entry(n, **full) for n in range(20)]
    assert plan(files, RULES) == plan(files, RULES, everything=True) == []


def test_large_files_that_fill_the_target_are_merged_though_they_are_few():
    files = [entry(n, size=300_000) for n in range(3)]
    assert plan(files, RULES) == [tuple(files)]


def test_everything_leaves_one_small_file_at_most():
    files = [entry(0, size=1_000), entry(1, size=100_000), entry(2, size=300_000)]
    assert plan(files, RULES) == []
    assert plan(files, RULES, everything=True) == [tuple(files)]
    assert plan(files[:1], RULES, everything=True) == []


def test_files_of_other_writers_are_left_alone():
    assert plan([entry(n, path=f"part-{n}.parquet") for n in range(20)], RULES, everything=True) == []


def test_a_row_is_rewritten_once_per_size_class_and_few_files_are_left():
    """3,000 commits, compacted after each; a merged file is as large as its inputs together."""
    live: dict[str, FileEntry] = {}
    rewritten = most = 0
    for n in range(3_000):
        new = entry(n, size=70_000)
        live[new.path] = new
        while groups := plan(list(live.values()), CompactionRules()):
            for group in groups:
                size, rows = sum(f.size for f in group), sum(f.rows for f in group)
                rewritten += size
                live = {path: f for path, f in live.items() if f not in group}
                merged = entry(n, size=size, rows=rows, path=f"compacted/{rewritten:064x}.parquet")
                live[merged.path] = merged
        most = max(most, len(live))
    assert rewritten <= 4 * 3_000 * 70_000
    assert most <= 4 * 8 + 3_000 * 70_000 / (16 * 1024 * 1024)
