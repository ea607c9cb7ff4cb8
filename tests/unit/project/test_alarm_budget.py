"""A budget of false alarms, as people write it, and the share of windows that it comes to."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.project.test_project import TOML, write

from driftloop.contracts.windows import WindowPlan
from driftloop.errors import UserError
from driftloop.project.alarm_budget import LEAST, MOST_BY_DEFAULT, AlarmBudget, alarm_budget
from driftloop.project.reading import read_project

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def every(length: timedelta) -> WindowPlan:
    return WindowPlan(every=length)


@pytest.mark.parametrize(
    ("words", "window", "alpha"),
    [("1 per 90d", 9 * DAY, 0.1), ("3 per 30d", DAY, 0.1), ("1 per 1w", timedelta(hours=1), 1 / 168), ("1 per 2d", DAY, 0.5)],
)
def test_a_budget_is_the_share_of_windows_that_it_comes_to(words: str, window: timedelta, alpha: float) -> None:
    assert alarm_budget(words, every(window)) == (words, pytest.approx(alpha))


def test_cuts_count_by_their_mean_length() -> None:
    plan = WindowPlan(cuts=(START, START + DAY, START + 4 * DAY, START + 27 * DAY))
    assert alarm_budget("1 per 90d", plan).alpha == pytest.approx(0.1)


def test_the_default_is_four_a_year_and_never_nearly_every_window_nor_an_event_that_nobody_can_calibrate() -> None:
    assert alarm_budget(None, every(DAY)) == AlarmBudget("1 per 90d", 1 / 90)
    assert alarm_budget(None, every(300 * DAY)).alpha == MOST_BY_DEFAULT
    assert alarm_budget(None, every(timedelta(seconds=1))).alpha == LEAST


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('"often"', "'often' is no budget such as 1 per 90d"),
        ('"1 per month"', "'month' is not a duration"),
        ('"0 per 90d"', "at least one false alarm in a period"),
        ('"1 per 0d"', "at least one false alarm in a period"),
        ('"1 per 7d"', "more than every second window, as they last 7 days: give a longer period, such as 1 per 70d"),
        ('"1 per 90000w"', "less than one window in 10000, as they last 7 days: give at most 1 per 1680000h"),
        ('"1 per 99999999999999d"', "is longer than the calendar"),
        ("3", "monitoring.false_alarms: Expected `str | null`, got `int`"),
    ],
)
def test_a_budget_that_cannot_be_is_named_with_its_line(tmp_path: Path, written: str, words: str) -> None:
    write(tmp_path, TOML + f"[monitoring]\nbins = 16\nfalse_alarms = {written}\n")
    with pytest.raises(UserError) as info:
        read_project(tmp_path)
    assert words in str(info.value)
    assert "driftloop.toml:25:" in str(info.value)


def test_what_a_message_proposes_can_be_written(tmp_path: Path) -> None:
    for proposed in ("1 per 70d", "1 per 1680000h"):
        write(tmp_path, TOML + f'[monitoring]\nfalse_alarms = "{proposed}"\n')
        assert read_project(tmp_path).alarm_budget.words == proposed


def test_a_project_states_a_budget_or_constants(tmp_path: Path) -> None:
    assert not read_project(write(tmp_path)).monitoring.constant
    assert not read_project(write(tmp_path, TOML + '[monitoring]\nbins = 8\nfalse_alarms = "1 per 90d"\n')).monitoring.constant
    for constant in ("psi = 0.25", "missing = 0.1", "unseen = 0.05"):  # also one that is the default's
        assert read_project(write(tmp_path, TOML + f"[monitoring]\n{constant}\n")).monitoring.stated == (constant.split()[0],)
    with pytest.raises(UserError, match=r"toml:25: .* or constants, not both: leave out psi, missing"):
        read_project(write(tmp_path, TOML + '[monitoring]\npsi = 0.25\nfalse_alarms = "1 per 90d"\nmissing = 0.1\n'))
