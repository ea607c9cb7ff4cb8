"""A schedule names moments; what matters is whether one has passed."""

from datetime import UTC, datetime, timedelta, timezone

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from driftloop.project.schedule import parse_schedule

LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "now", "moment"),
    [
        ("0 3 * * *", "2026-05-01T02:59", "2026-04-30T03:00"),
        ("0 3 * * *", "2026-05-01T03:00", "2026-05-01T03:00"),
        ("*/15 8-17 * * mon-fri", "2026-05-04T07:00", "2026-05-01T17:45"),  # a Monday; the Friday before
        ("0 0 1 */3 *", "2026-06-30T00:00", "2026-04-01T00:00"),
        ("30 6 * * 0", "2026-05-01T00:00", "2026-04-26T06:30"),
        ("30 6 * * 7", "2026-05-01T00:00", "2026-04-26T06:30"),
        ("0 0 13 * fri", "2026-05-12T00:00", "2026-05-08T00:00"),  # either day
        ("0 0 13 * fri", "2026-05-14T00:00", "2026-05-13T00:00"),
        ("5,35 1 1 jan,Jul *", "2026-07-01T01:20", "2026-07-01T01:05"),
        ("0 0 29 2 *", "2026-01-01T00:00", "2024-02-29T00:00"),
        ("0 0 29 feb *", "1903-12-31T00:00", "1896-02-29T00:00"),  # 1900 was no leap year
        ("10-20/5 * * * *", "2026-01-01T00:12", "2026-01-01T00:10"),
        ("50/5 * * * *", "2026-01-01T00:57", "2026-01-01T00:55"),
        ("7d", "1970-01-20T00:00", "1970-01-15T00:00"),
        ("90m", "1970-01-01T03:10", "1970-01-01T03:00"),
    ],
)
def test_the_last_moment_until_now(schedule, now, moment):
    assert parse_schedule(schedule).last(at("1800-01-01"), at(now)) == at(moment)


@pytest.mark.parametrize("schedule", ["0 3 * * *", "1d"])
def test_a_moment_counts_once(schedule):
    found = parse_schedule(schedule)
    moment = found.last(LONG_AGO, at("2026-05-01T12:00"))
    assert found.last(moment, at("2026-05-01T12:00")) is None
    assert found.last(moment - timedelta(microseconds=1), at("2026-05-01T12:00")) == moment


def test_moments_are_in_utc_whatever_the_zone_that_is_asked_in():
    east = timezone(timedelta(hours=9))
    assert parse_schedule("0 20 * * *").last(LONG_AGO, datetime(2026, 5, 2, 4, tzinfo=east)) == at("2026-05-01T19:00") + timedelta(
        days=-1, hours=1
    )
    assert parse_schedule("0 19 * * *").last(LONG_AGO, datetime(2026, 5, 2, 4, tzinfo=east)) == at("2026-05-01T19:00")


@pytest.mark.parametrize("schedule", ["7d", "0 0 1 1 *"])
def test_the_ends_of_the_calendar_are_moments_like_any_other(schedule):
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert parse_schedule(schedule).last(first, last).year == 9999
    assert parse_schedule(schedule).last(first, first) is None


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", "has 0 fields"),
        ("weekly", "neither an interval such as 7d nor five cron fields"),
        ("0s", "longer than nothing"),
        ("0 3 * *", "has 4 fields; cron has five: minute, hour, day of month, month, day of week"),
        ("0 3 * * * *", "has 6 fields"),
        ("60 * * * *", "'60' is no minute: it is 0 to 59"),
        ("* * 0 * *", "'0' is no day of month"),
        ("* * * 13 *", "'13' is no month"),
        ("* * * * funday", "'funday' is no day of week"),
        ("*/0 * * * *", "a step above 0"),
        ("*/-1 * * * *", "a step above 0"),
        ("5-1 * * * *", "its end lies before its start"),
        ("1, * * * *", "is no minute"),
        ("L * * * *", "'L' is no minute"),
        ("0 0 31 2 *", "names a day that none of its months has"),
        ("@daily", "neither an interval"),
        ("99999999999d", "neither an interval"),
    ],
)
def test_a_mistake_says_what_was_expected(schedule, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(").replace("*", r"\*")):
        parse_schedule(schedule)


minutes = st.integers(0, 3 * 366 * 24 * 60).map(lambda n: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@settings(deadline=None)
@given(minutes, st.integers(0, 23), st.integers(1, 31), st.integers(0, 6), st.booleans(), st.booleans())
def test_a_moment_is_the_last_minute_that_fits(now, hour, day, weekday, by_day, by_weekday):
    """Beside every minute of 40 days, looked at one by one from now backwards."""
    found = parse_schedule(f"30 {hour} {day if by_day else '*'} * {weekday if by_weekday else '*'}").last(now - timedelta(days=40), now)

    def fits(moment: datetime) -> bool:
        of_month, of_week = moment.day == day, moment.isoweekday() % 7 == weekday
        named = of_month or of_week if by_day and by_weekday else of_month if by_day else of_week if by_weekday else True
        return (moment.hour, moment.minute) == (hour, 30) and named

    half_hours = (now.replace(minute=30) - timedelta(hours=h) for h in range(40 * 24 + 1))
    assert found == next((m for m in half_hours if now - timedelta(days=40) < m <= now and fits(m)), None)
