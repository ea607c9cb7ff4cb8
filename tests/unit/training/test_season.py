"""Windows are compared with the same season a year ago, once there is one."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from msgspec import UNSET
from tests.unit.training import jobs

from driftloop.errors import UserError
from driftloop.monitoring.verdict import judge
from driftloop.project.model import Project
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import SCORE, Profile
from driftloop.training.fit import TrainingRows, fit
from driftloop.training.season import YEAR, told
from driftloop.training.user_code import load_build
from driftloop.training.version_profile import version_profile

BUDGET = jobs.CONFIG + '[monitoring]\nfalse_alarms = "1 per 70d"\n'
SEASON = BUDGET + 'season = "90d"\n'
WEEKS = 70


def weeks(first: int, weeks: int, seed: int = 0) -> pa.Table:
    """Prices that go up and down with the year, by three times what they scatter."""
    table = jobs.rows(windows=weeks, per_window=100, seed=seed)
    since = np.arange(table.num_rows) / 100 + first
    times = [jobs.START + jobs.WINDOW * week for week in since]
    price = pa.compute.add(table["price"], 9 * np.cos(2 * np.pi * since * 7 / YEAR.days))
    table = table.set_column(table.column_names.index("price"), "price", price)
    return table.set_column(table.column_names.index("event_time"), "event_time", pa.array(times, table["event_time"].type))


def profiled(config: str, table: pa.Table, folder: Path) -> tuple[Project, Profile, object]:
    project = jobs.project(config=config)
    rows = TrainingRows(table, project)
    mask = np.ones(table.num_rows, dtype=bool)
    pipeline = fit(load_build(project.files, folder), rows, mask, seed=0, threads=1)
    return project, version_profile(project, rows, mask, rows.held_out_output(pipeline, mask), pipeline, 0), pipeline


def price_distance(config: str, folder: Path) -> float:
    """Of the mean window of the ten weeks after the training."""
    project, profile, pipeline = profiled(config, weeks(0, WEEKS), folder)
    found = []
    for week in range(WEEKS, WEEKS + 10):
        later = TrainingRows(weeks(week, 1, seed=week), project)
        scores = later.output(pipeline, np.ones(100, dtype=bool)).scores
        found.append(judge(project, profile, 100, Counter(profile).count(later.table, scores)).columns["price"].distance)
    return float(np.mean(found))


def test_windows_of_a_season_are_near_those_of_a_year_before(tmp_path: Path) -> None:
    assert price_distance(SEASON, tmp_path) < 0.6 * price_distance(BUDGET, tmp_path)


def test_the_season_that_begins_a_year_before_the_end_is_counted_and_named(tmp_path: Path) -> None:
    _, profile, _ = profiled(SEASON, weeks(0, WEEKS), tmp_path)
    end = jobs.START + jobs.WINDOW * (WEEKS - 0.01)
    assert profile.season.start == pytest.approx(end - YEAR, abs=timedelta(minutes=1))
    assert profile.season.end - profile.season.start == timedelta(days=90)
    rows = 90 / 7 * 100
    counted = profile.columns["price"].reference.sum() + profile.columns[SCORE].reference.sum()
    assert counted == pytest.approx(rows, abs=2)
    assert profile.score_rows == profile.columns[SCORE].reference.sum() > 0
    assert profile.drift.windows == 14  # begun ones count
    assert sum(profile.calibration.rows) > 2 * profile.score_rows  # what it loses is measured on all that were held out
    assert told(profile) == (
        f"Its windows are compared with the same season a year before, {profile.season.start:%Y-%m-%d} to {profile.season.end:%Y-%m-%d}.",
    )
    assert Profile.decode(profile.encode()) == profile


@pytest.mark.parametrize(
    ("config", "table"),
    [
        (BUDGET, weeks(0, WEEKS)),  # not asked for
        (SEASON, weeks(0, 52)),  # no year yet
        (SEASON, weeks(0, WEEKS).filter(pa.array([not 1000 < row < 4000 for row in range(WEEKS * 100)]))),  # too few rows there
    ],
)
def test_without_such_a_season_all_training_rows_are_the_reference(config: str, table: pa.Table, tmp_path: Path) -> None:
    _, profile, _ = profiled(config, table, tmp_path)
    assert profile.season is UNSET
    assert told(profile) == ()
    assert profile.columns["price"].reference.sum() + profile.score_rows == table.num_rows


@pytest.mark.parametrize("season", ["0s", "366d"])
def test_a_season_is_a_part_of_a_year(season: str) -> None:
    with pytest.raises(UserError, match=f"'{season}' is no part of a year: more than 0, 365d at most"):
        jobs.project(config=SEASON.replace("90d", season))
