"""The parquet file as a stream: nothing lost, nothing early, nothing twice."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.unit.demo.year import flights, project

from driftloop.demo.flights import Flights, before, thinned, window_cuts
from driftloop.rows.schemas import label_schema, request_schema


def label_of(event_id: str) -> dict[str, object]:
    return flights().labels.filter(pc.field("event_id") == event_id).to_pylist()[0]


def test_every_flight_is_a_request_and_every_flight_that_arrived_has_a_label() -> None:
    assert flights().requests.num_rows == 336_776
    assert flights().labels.num_rows == 336_776 - 9_430
    assert flights().requests.schema == request_schema(project().schema)
    assert flights().labels.schema == label_schema(project().schema)


def test_event_ids_are_unique_and_labels_are_of_known_events() -> None:
    requests, labels = (set(table.column("event_id").to_pylist()) for table in flights())

    assert len(requests) == 336_776
    assert len(labels) == 327_346
    assert labels <= requests


def test_requests_are_ordered_by_event_time_and_id_and_labels_by_the_time_they_became_known() -> None:
    for table, clock in zip(flights(), ("event_time", "label_time"), strict=True):
        order = pc.sort_indices(table, sort_keys=[(clock, "ascending"), ("event_id", "ascending")])
        assert np.array_equal(order.to_numpy(), np.arange(len(table)))


def test_no_label_is_known_before_its_flight_was_to_depart() -> None:
    labels = flights().labels
    waits = labels.column("label_time").to_numpy() - labels.column("event_time").to_numpy()

    assert waits.min() == np.timedelta64(18, "m")


def test_a_flight_is_told_in_utc_under_its_scheduled_departure_in_new_york() -> None:
    first = flights().requests.slice(0, 1).to_pylist()[0]

    assert first["event_id"] == "20130101T0515-UA-1545"
    assert first["entity"] == "EWR-UA-1545"
    assert first["event_time"] == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    assert first["temp"] == 39.02


@pytest.mark.parametrize(
    ("event_id", "known"),
    [
        ("20130101T0515-UA-1545", datetime(2013, 1, 1, 13, 30, tzinfo=UTC)),  # scheduled 08:19 in Houston's time, 11 min late
        ("20130109T0900-HA-51", datetime(2013, 1, 10, 17, 42, tzinfo=UTC)),  # the clocks in Hawaii are 5 h behind
    ],
)
def test_a_label_is_known_at_the_scheduled_arrival_plus_its_delay(event_id: str, known: datetime) -> None:
    assert label_of(event_id)["label_time"] == known


def test_missing_weather_is_null_and_never_nan() -> None:
    for name in project().schema.numeric:
        column = flights().requests.column(name)
        assert pc.all(pc.is_finite(column.cast(pa.float64()))).as_py()
    assert flights().requests.column("pressure").null_count == 38_788


def test_the_projects_cuts_are_those_of_the_data() -> None:
    assert window_cuts(flights()) == list(project().windows.cuts)


def test_windows_hold_equally_many_labelled_flights_but_for_ties() -> None:
    cuts = [np.datetime64(cut.astimezone(UTC).replace(tzinfo=None), "us") for cut in project().windows.cuts]
    counts = np.diff(np.searchsorted(np.sort(flights().labels.column("event_time").to_numpy()), cuts))

    assert counts.sum() == 327_346
    assert abs(counts - 327_346 / 20).max() <= 28  # flights that share an instant


def test_thinning_keeps_a_flight_with_its_label_or_neither() -> None:
    whole, few = flights(), thinned(flights(), 0.04, seed=1)
    kept = set(few.requests.column("event_id").to_pylist())
    labelled = set(whole.labels.column("event_id").to_pylist())

    assert 0.03 < len(kept) / len(whole.requests) < 0.05
    assert set(few.labels.column("event_id").to_pylist()) == kept & labelled


def test_the_seed_chooses_which_flights_stay() -> None:
    def kept(seed: int) -> Flights:
        return thinned(flights(), 0.01, seed)

    assert kept(1).requests.equals(kept(1).requests)
    assert not kept(1).requests.equals(kept(2).requests)


def test_the_first_windows_have_all_of_their_flights_and_labels_also_those_that_come_later() -> None:
    whole, end = flights(), datetime(2013, 3, 18, 16, 9, tzinfo=UTC)
    first = before(whole, end)
    assert 0 < first.requests.num_rows < whole.requests.num_rows
    assert pc.max(first.requests.column("event_time")).as_py() < end
    assert first.requests.num_rows == pc.sum(pc.less(whole.requests.column("event_time"), pa.scalar(end))).as_py()
    assert set(first.labels.column("event_id").to_pylist()) <= set(first.requests.column("event_id").to_pylist())
    assert pc.max(first.labels.column("label_time")).as_py() > end
    assert first.labels.num_rows == pc.sum(pc.less(whole.labels.column("event_time"), pa.scalar(end))).as_py()
