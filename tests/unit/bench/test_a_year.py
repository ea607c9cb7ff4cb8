"""What `python -m bench a-year` runs for half an hour, on a small year: that each of its readers and measures still fits the code."""

from pathlib import Path

import pytest
from bench import a_year_events, a_year_start, a_year_tables


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (a_year_events, a_year_start):
        monkeypatch.setattr(module, "PARTITIONS", 4)
    monkeypatch.setattr(a_year_start, "REMEMBERED_WINDOWS", 20)
    monkeypatch.setattr(a_year_start, "LAST", 50)


@pytest.mark.parametrize("reader", a_year_start.READERS)
def test_each_reader_reads_its_records(reader: str, tmp_path: Path) -> None:
    assert a_year_start.READERS[reader](120, tmp_path) is not None


def test_a_monitor_after_a_year_decides(tmp_path: Path) -> None:
    a_year_start.prepared(120, tmp_path)
    assert a_year_start.cpu_of_a_decision(120, tmp_path) > 0


def test_values_of_tables_are_counted() -> None:
    assert a_year_tables.of_a_sketch(2, 3).bytes > 0
    assert a_year_tables.of_a_flush(2, 3).bytes > 0
