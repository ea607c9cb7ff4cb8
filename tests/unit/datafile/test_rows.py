from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from tests.unit.training import jobs

from driftloop.backtest.windows import equal_windows, windows_with_rows
from driftloop.contracts.windows import WindowPlan
from driftloop.datafile.rows import read_rows
from driftloop.errors import UserError
from driftloop.project.model import Project
from driftloop.project.rules import BacktestData

PLAIN = {
    "event_time": [datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)],
    "price": [2.0, 1.0, float("nan")],
    "colour": ["red", "green", None],
    "bought": [True, False, None],
}


def project(**data: object) -> Project:
    return msgspec.structs.replace(jobs.project(), backtest=BacktestData(**data))


def written(path: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), path / "rows.parquet")
    return path / "rows.parquet"


def test_labelled_rows_come_in_the_order_of_their_event_time(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path, PLAIN), project())
    assert rows.unlabelled == 1
    assert rows.table.column("price").to_pylist() == [1.0, 2.0]
    assert rows.table.column("label").to_pylist() == [False, True]
    assert rows.table.column("event_id").to_pylist() == rows.table.column("entity").to_pylist() == ["1", "0"]


def test_not_a_number_is_a_missing_value(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path, PLAIN | {"bought": [1, 0, 1]}), project())
    assert rows.table.column("price").to_pylist() == [1.0, 2.0, None]
    assert rows.table.column("label").to_pylist() == [False, True, True]


def test_columns_are_called_as_the_project_says(tmp_path: Path) -> None:
    columns = {
        "at": PLAIN["event_time"],
        "price": [1.0] * 3,
        "colour": ["a"] * 3,
        "truth": [True] * 3,
        "shop": ["x", "y", "z"],
        "no": [7, 8, 9],
    }
    rows = read_rows(written(tmp_path, columns), project(event_time="at", label="truth", entity=("shop", "no"), event_id="no"))
    assert rows.table.column("entity").to_pylist() == ["y-8", "x-7", "z-9"]
    assert rows.table.column("event_id").to_pylist() == ["8", "7", "9"]


def test_times_without_a_zone_are_those_of_the_stated_zone_whatever_the_clocks_did(tmp_path: Path) -> None:
    texts = ("2024-01-01T12:00", "2024-03-10T02:30", "2024-11-03T01:30")  # the last two: skipped, repeated
    naive = list(map(datetime.fromisoformat, texts))
    rows = read_rows(written(tmp_path, PLAIN | {"event_time": naive, "bought": [True] * 3}), project(timezone="America/New_York"))
    assert [time.isoformat() for time in rows.table.column("event_time").to_pylist()] == [
        "2024-01-01T17:00:00+00:00",
        "2024-03-10T07:00:00+00:00",
        "2024-11-03T05:30:00+00:00",
    ]


def test_dates_and_columns_of_year_and_month_are_times(tmp_path: Path) -> None:
    days = PLAIN | {"event_time": [date(2024, 1, 2), date(2024, 1, 1), date(2024, 1, 3)]}
    first = read_rows(written(tmp_path, days), project()).table.column("event_time")[0].as_py()
    months = {**PLAIN, "year": [2023, 2022, 2024], "month": [5, 12, 1]}
    times = read_rows(written(tmp_path, months), project(event_time=("year", "month"))).table.column("event_time").to_pylist()
    assert first == datetime(2024, 1, 1, tzinfo=UTC)
    assert times == [datetime(2022, 12, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC)]


def test_a_file_of_commas_or_of_json_lines_is_read_alike(tmp_path: Path) -> None:
    table = pa.table(PLAIN | {"event_time": ["2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z"]})
    pa_csv.write_csv(table, tmp_path / "rows.csv")
    (tmp_path / "rows.jsonl").write_text(
        "\n".join(msgspec.json.encode({k: None if v != v else v for k, v in row.items()}).decode() for row in table.to_pylist())
    )
    of_csv, of_json = (read_rows(tmp_path / f"rows.{kind}", project()).table for kind in ("csv", "jsonl"))
    assert of_csv.column("event_time").to_pylist() == of_json.column("event_time").to_pylist()
    assert of_json.column("price").to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("columns", "data", "said"),
    [
        ({"price": [1.0]}, {}, "has no column 'label' for label; it has price"),
        ({**PLAIN, "price": ["dear", "cheap", "free"]}, {}, "column 'price' holds string, which is not double in every row"),
        ({**PLAIN, "event_time": [1.0, 2.0, 3.0]}, {}, "'event_time' holds double, no times"),
        ({**PLAIN, "event_time": [None, *PLAIN["event_time"][1:]]}, {}, "1 rows have no 'event_time'"),
        ({**PLAIN, "bought": [None, None, None]}, {}, "none of 3 rows has a label"),
        ({**PLAIN, "event_time": [datetime.fromisoformat("2024-01-01")] * 3}, {"timezone": "Mars/Base"}, "'Mars/Base' is no time zone"),
        (PLAIN, {"event_time": ("price", "colour")}, "column 'colour' holds string, .* such as 'red' in row 1, 'green' in row 2"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_words(tmp_path: Path, columns: dict[str, object], data: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_rows(written(tmp_path, columns), project(**data))


@pytest.mark.parametrize(
    ("name", "said"), [("none.parquet", "there is no such file"), ("rows.xls", "a data file is one of .parquet, .csv")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(UserError, match=f"{name}: {said}"):
        read_rows(tmp_path / name, project())


def test_windows_of_equally_many_rows_begin_with_a_row_and_rows_of_one_moment_stay_together() -> None:
    days = [1, 1, 2, 3, 3, 3, 4, 5]
    table = pa.table({"event_time": pa.array([datetime(2024, 1, day, tzinfo=UTC) for day in days], pa.timestamp("us", "UTC"))})
    plan = equal_windows(table, 4)
    assert [cut.day for cut in plan.cuts] == [1, 2, 3, 4, 5]
    assert [window.start.day for window in windows_with_rows(table, plan)] == [1, 2, 3, 4]
    with pytest.raises(UserError, match="only 5 have a first moment of their own"):
        equal_windows(table, 8)


def test_windows_without_rows_are_left_out_and_rows_outside_the_plan_are_in_none() -> None:
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 9, 20)]
    table = pa.table({"event_time": pa.array(times, pa.timestamp("us", "UTC"))})
    cuts = tuple(datetime(2024, 1, day, tzinfo=UTC) for day in (2, 4, 8, 10, 11))
    assert [window.start.day for window in windows_with_rows(table, WindowPlan(cuts=cuts))] == [2, 8]
    with pytest.raises(UserError, match=r"falls into a window that driftloop\.toml declares"):
        windows_with_rows(table.slice(3), WindowPlan(cuts=cuts))
