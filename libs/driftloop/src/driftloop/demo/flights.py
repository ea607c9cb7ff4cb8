"""The flights of 2013 as a stream: what is asked for each flight and when, and when its label became known."""

from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from driftloop.contracts.schema import StreamSchema
from driftloop.demo.example import N_WINDOWS
from driftloop.lake.split import BUCKETS, buckets
from driftloop.replay.stream import Stream
from driftloop.rows.schemas import TIME, label_schema, request_schema

NEW_YORK = ZoneInfo("America/New_York")


class Flights(Stream):
    """``requests`` as ``request_schema`` says, ordered by (event time, event id); ``labels`` as ``label_schema`` says,
    ordered by (label time, event id). A flight that was cancelled or diverted has no label."""


def read_flights(path: Path, schema: StreamSchema) -> Flights:
    """The whole year."""
    flights = pq.read_table(path)
    local = flights.column("sched_dep")
    departure = pd.Series(local.to_pandas()).dt.tz_localize(NEW_YORK).dt.tz_convert("UTC")
    carrier, origin = (flights.column(name).cast(pa.string()) for name in ("carrier", "origin"))
    number = flights.column("flight").cast(pa.string())
    minute = pc.strftime(local.cast(pa.timestamp("s")), format="%Y%m%dT%H%M")
    ids = pc.binary_join_element_wise(minute, carrier, number, "-")
    times = pa.array(departure, TIME)
    columns = {
        "event_id": ids,
        "event_time": times,
        "entity": pc.binary_join_element_wise(origin, carrier, number, "-"),
        **{name: _plain(flights.column(name)) for name in schema.feature_names},
    }
    wanted = request_schema(schema)
    requests = pa.table([columns[name].cast(wanted.field(name).type) for name in wanted.names], schema=wanted)
    labels = pa.table(
        [ids, times, flights.column("late").cast(pa.bool_()), _known(flights, departure)],
        schema=pa.schema([f.with_nullable(True) for f in label_schema(schema)]),
    )
    labels = labels.filter(labels.column("label").is_valid()).cast(label_schema(schema))
    return Flights(_ordered(requests, "event_time"), _ordered(labels, "label_time"))


def _known(flights: pa.Table, departure: "pd.Series[pd.Timestamp]") -> pa.Array:
    """Scheduled arrival plus delay. The scheduled arrival is given in the destination's local time, the departure in
    New York's: for western destinations the label comes as many hours early as the clocks differ, six at most (Hawaii)."""
    start, end = (flights.column(name).to_numpy() for name in ("sched_dep_min", "sched_arr_min"))
    delay = flights.column("arr_delay").to_numpy()
    minutes = (end - start) % (24 * 60) + np.nan_to_num(delay)
    known = departure + pd.to_timedelta(minutes, unit="m")
    return pa.array(known, TIME, mask=np.isnan(delay))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionaries to text; single floats to the double that is written the same (39.02, not 39.02000045776367)."""
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    return column.cast(pa.string()).cast(pa.float64()) if pa.types.is_floating(column.type) else column


def _ordered(table: pa.Table, by: str) -> pa.Table:
    return table.sort_by([(by, "ascending"), ("event_id", "ascending")]).combine_chunks()


def thinned(flights: Flights, fraction: float, seed: int) -> Flights:
    """About ``fraction`` of the flights, each kept or left out by a hash of its event id: the labels that stay are theirs."""
    if fraction >= 1:
        return flights

    def kept(table: pa.Table) -> pa.Table:
        return table.filter(pa.array(buckets(table.column("event_id"), f"demo-{seed}") < round(fraction * BUCKETS)))

    return Flights(kept(flights.requests), kept(flights.labels))


def before(flights: Flights, end: datetime) -> Flights:
    """The flights that depart before ``end``, and their labels, also those that become known later."""

    def kept(table: pa.Table) -> pa.Table:
        return table.filter(pc.less(table.column("event_time"), pa.scalar(end, TIME)))

    return Flights(kept(flights.requests), kept(flights.labels))


def window_cuts(flights: Flights, n_windows: int = N_WINDOWS) -> list[datetime]:
    """Boundaries of windows with equally many labelled flights, in New York time.

    A boundary is the event time of its window's first flight, so flights that share this instant all belong to the later
    window. The last boundary is the midnight after the last flight.
    """
    labelled = flights.labels.column("event_time").sort()
    firsts = [labelled[k * len(labelled) // n_windows].as_py() for k in range(n_windows)]
    last = pc.max(flights.requests.column("event_time")).as_py().astimezone(NEW_YORK)
    end = datetime.combine(last.date() + timedelta(days=1), time(), NEW_YORK)
    return [*(first.astimezone(NEW_YORK) for first in firsts), end]
