"""The report on drift verdicts, on a small table: what it counts, and series that are made of the table's own rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench import drift_data, drift_verdicts
from bench.clocks import BenchError
from bench.drift_data import resampled, timed_table, timed_tables

ROWS = 20 * 200


def written(folder: Path, name: str = "shop") -> Path:
    random = np.random.default_rng(0)
    order = random.permutation(ROWS)
    table = pa.table(
        {
            "date": pa.array(order * 1_000_000, pa.timestamp("us")),
            "price": order + random.normal(0, 500, ROWS),
            "amount": random.normal(10, 3, ROWS),
            "colour": pa.array(random.choice(["red", "green"], ROWS)).dictionary_encode(),
        }
    )
    pq.write_table(table, folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def test_a_table_is_in_order_of_time_and_has_features_alone(tmp_path: Path) -> None:
    table = timed_table(written(tmp_path))
    assert (table.numbers, table.categories, table.per_window) == (["price", "amount"], ["colour"], 200)
    prices = table.rows["price"].to_numpy()
    assert prices[-500:].mean() > prices[:500].mean() + 2000


def test_a_folders_tables_are_measured_and_an_empty_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(drift_data.FOLDER, str(tmp_path))
    with pytest.raises(BenchError, match=r"has no \.parquet files"):
        next(timed_tables())
    written(tmp_path, "b")
    written(tmp_path, "a")
    assert [table.name for table in timed_tables()] == ["a", "b"]


def test_a_series_is_of_blocks_of_the_table_and_has_no_trend() -> None:
    found = resampled(1000, 50_000, 20.0, np.random.default_rng(1))
    assert found.size == 50_000
    ends = np.flatnonzero(np.diff(found) % 1000 != 1)
    assert np.diff(ends).mean() == pytest.approx(20, rel=0.1)
    assert found[:25_000].mean() == pytest.approx(found[25_000:].mean(), abs=50)


def test_what_is_counted_keeps_the_budget_and_finds_what_is_changed(tmp_path: Path) -> None:
    table = timed_table(written(tmp_path))
    rates = drift_verdicts.rates_of(table, series=4)
    assert (rates.windows, rates.columns) == (4 * drift_verdicts.LATER, 3)
    for alpha, found in rates.by_alpha.items():
        assert found[""] <= 1.5 * alpha + 0.05  # of 80 windows
        assert set(found) == {"", *drift_verdicts.CHANGES}
        assert found["swapped"] > found[""]
    assert rates.by_alpha[0.1][""] >= rates.by_alpha[0.05][""]
    assert rates.psi[""] > 0.5  # 64 bins and 200 rows
    lines = drift_verdicts._lines(table, rates)
    assert len(lines) == 5
    assert {line.count("|") for line in (*lines, *drift_verdicts._header())} == {len(drift_verdicts.CHANGES) + 7}
