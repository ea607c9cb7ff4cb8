"""A time in a profile: in seconds since 1970, or each of its parts as the model is given them."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.datasets.diff import difference
from driftloop.datasets.diff_inputs import DiffInput
from driftloop.rows.schemas import TIME
from driftloop.statistics.comparison import compare
from driftloop.statistics.histograms import Counter, build_profile, count
from driftloop.statistics.profile import Profile

START = datetime(2026, 5, 4, tzinfo=UTC)  # a Monday
SCHEMA = StreamSchema(
    stream="s",
    features=(Feature(name="due", type="datetime"), Feature(name="start", type="datetime", parts=("weekday", "hour"))),
    target=Target(name="late", type="boolean"),
)
THRESHOLDS = {"psi": 0.25, "ks": 0.2, "missing": 0.1, "unseen": 0.05}


def rows(n: int = 1000, *, hours: tuple[int, int] = (8, 18), later: timedelta = timedelta(0), missing: float = 0.0) -> pa.Table:
    """Starts on working days at some hours, due a day later."""
    rng = np.random.default_rng(n)
    starts = [
        START + later + timedelta(days=int(d), hours=int(h)) for d, h in zip(rng.integers(0, 5, n), rng.integers(*hours, n), strict=True)
    ]
    mask = rng.random(n) < missing
    due = pa.array([start + timedelta(days=1) for start in starts], TIME)
    return pa.table(
        {"event_id": [f"e{i}" for i in range(n)], "due": due, "start": pa.array(starts, TIME, mask=mask), "score": rng.random(n)}
    )


def profile() -> Profile:
    table = rows()
    return build_profile(table, table.column("score").to_numpy(), SCHEMA, 64)


def test_a_whole_time_is_counted_in_seconds_and_parts_as_they_are() -> None:
    found = profile().columns
    assert set(found) == {"due", "start.weekday", "start.hour", "$score"}
    assert found["due"].low == (START + timedelta(days=1, hours=8)).timestamp()
    assert found["start.weekday"].uppers == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert found["start.hour"].uppers == tuple(float(hour) for hour in range(8, 18))
    assert Profile.decode(profile().encode()) == profile()


def test_traffic_of_another_hour_is_drift_of_the_hour_and_not_of_the_weekday() -> None:
    reference, table = profile(), rows(hours=(0, 8))
    counts = Counter(reference).count(table)
    drift = {name: compare(column, counts[name], THRESHOLDS) for name, column in reference.columns.items()}
    assert (drift["start.hour"].drifted, drift["start.weekday"].drifted) == (True, False)
    assert drift["start.hour"].now.out_of_range == 1.0


def test_the_same_days_a_week_later_are_no_drift_of_the_parts_but_of_the_time() -> None:
    reference = profile()
    counts = count(reference, rows(later=timedelta(days=7)))
    assert not any(compare(reference.columns[f"start.{part}"], counts[f"start.{part}"], THRESHOLDS).drifted for part in ("weekday", "hour"))
    assert compare(reference.columns["due"], counts["due"], THRESHOLDS).now.out_of_range > 0.9


def test_missing_times_are_counted_as_missing_in_each_part() -> None:
    reference = profile()
    counts = count(reference, rows(missing=0.5))
    for part in ("weekday", "hour"):
        assert compare(reference.columns[f"start.{part}"], counts[f"start.{part}"], THRESHOLDS).now.missing == pytest.approx(0.5, abs=0.05)


def test_two_sets_of_rows_are_compared_by_the_parts_and_by_the_moment() -> None:
    a, b = (DiffInput(name, SCHEMA, table.drop_columns(["score"])) for name, table in (("a", rows()), ("b", rows(hours=(0, 8)))))
    found = difference(a, b)
    assert list(found.features) == ["due", "start.weekday", "start.hour"]
    assert found.features["start.hour"].ks == pytest.approx(1.0)
    assert found.features["start.weekday"].psi < 0.1
    assert found.rows.changed == 1000
    fewer = msgspec.structs.replace(SCHEMA, features=(SCHEMA.features[0], msgspec.structs.replace(SCHEMA.features[1], parts=("hour",))))
    assert difference(a, DiffInput("c", fewer, a.rows)).schema.retyped == {"start": ("datetime, as weekday, hour", "datetime, as hour")}
