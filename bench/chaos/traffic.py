"""What the applications of one project send at each tick: rows, labels that come when they come, duplicates, rubbish. Pure.

A tick is a tenth of a window. The same seed gives the same messages, whatever happens to the processes that take them.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

import pyarrow as pa

from bench.chaos.messages import ARROW_HEADER, JSON_HEADER, Message, bad_message, json_value
from bench.chaos.shops import ROWS_IN_A_WINDOW, START, STEP, WINDOW, Shop
from driftloop.rows.arrow_stream import encode_table

TICKS_IN_A_WINDOW = 10
ROWS_IN_A_TICK = ROWS_IN_A_WINDOW // TICKS_IN_A_WINDOW
LONGEST_LABEL_DELAY = 4  # windows
DUPLICATED, LATE, BY_HTTP, AS_ARROW = 0.04, 0.04, 0.15, 0.2
NEVER_LABELLED, CORRECTED = 0.05, 0.03

_ARROW_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("entity", pa.string()),
        ("amount", pa.float64()),
        ("kind", pa.string()),
        ("night", pa.bool_()),
    ]
)


class Call(NamedTuple):
    """Rows for ``POST /invocations``. ``durable``: the caller waits until the broker has them. ``events`` empty: it must be refused."""

    body: bytes
    events: tuple[str, ...]
    durable: bool


class Tick(NamedTuple):
    messages: list[Message]
    calls: list[Call]


class _Label(NamedTuple):
    """Of row ``row``; known ``delay`` windows after its event, sent at tick ``due``."""

    row: int
    delay: float
    due: int
    corrected: bool


class Traffic:
    """Of one project. History, the ticks below ``scored_from``, has neither HTTP calls nor rubbish: nobody answers yet."""

    def __init__(self, seed: int, shop: Shop, scored_from: int) -> None:
        self._seed, self._shop, self._scored_from = seed, shop, scored_from
        self._labels_of = cache(self._drawn_labels)  # asked for at each of the ticks at which they may be due

    def tick(self, number: int) -> Tick:
        """The ``number``-th, from 0."""
        rng = random.Random(f"tick {self._seed} {self._shop.name} {number}")
        rows = range(number * ROWS_IN_A_TICK, (number + 1) * ROWS_IN_A_TICK)
        history = number < self._scored_from
        by_http = [] if history else [n for n in rows if rng.random() < BY_HTTP]
        as_arrow = [n for n in rows if n not in by_http and rng.random() < AS_ARROW]
        messages = [self._row(n) for n in rows if n not in by_http and n not in as_arrow]
        messages += [self._arrow(as_arrow)] if as_arrow else []
        messages += [self._label(label) for label in self._labels(number) if label.due == number]
        messages += [message._replace(kind="duplicate") for message in messages if rng.random() < DUPLICATED]
        if not history:
            messages += [bad_message("requests", 2 * number + i, f"{self._shop.name}-bad-{number}-{i}") for i in range(2)]
            messages.append(bad_message("labels", number, f"{self._shop.name}-bad-label-{number}"))
        rng.shuffle(messages)
        return Tick(messages, [self._call(n, rng.random() < 0.5) for n in by_http] + ([] if history else [self._bad_call(number)]))

    def labels_after(self, ticks: int) -> list[Message]:
        """Labels of rows below tick ``ticks`` that come at it or later: the last ones."""
        return [self._label(label) for label in self._labels(ticks - 1) if label.due >= ticks]

    def event_time(self, n: int) -> datetime:
        """Of the n-th row; some come late, by up to two windows."""
        rng = random.Random(f"late {self._seed} {self._shop.name} {n}")
        late = rng.random() < LATE and n > 2 * ROWS_IN_A_WINDOW
        return START + n * STEP - (rng.uniform(0.2, 2.0) * WINDOW if late else timedelta(0))

    def _row(self, n: int) -> Message:
        body = self._shop.row(self._seed, n, self.event_time(n))
        headers = (JSON_HEADER,) if n % 7 else (JSON_HEADER, ("x-trace", b"\xff\x00\xfe"))
        return Message("requests", "row", json_value(body), body["entity"].encode(), headers, (body["event_id"],))

    def _arrow(self, numbers: list[int]) -> Message:
        bodies = [self._shop.row(self._seed, n, self.event_time(n)) for n in numbers]
        value = encode_table(pa.Table.from_pylist(bodies, schema=_ARROW_SCHEMA))
        return Message("requests", "Arrow", value, b"arrow-%d" % numbers[0], (ARROW_HEADER,), tuple(b["event_id"] for b in bodies))

    def _labels(self, tick: int) -> Iterator[_Label]:
        """Of the rows of this tick and of those before whose labels may still come."""
        first = max(0, tick - (LONGEST_LABEL_DELAY + 1) * TICKS_IN_A_WINDOW)
        for n in range(first * ROWS_IN_A_TICK, (tick + 1) * ROWS_IN_A_TICK):
            yield from self._labels_of(n)

    def _drawn_labels(self, n: int) -> tuple[_Label, ...]:
        rng = random.Random(f"label {self._seed} {self._shop.name} {n}")
        if rng.random() < NEVER_LABELLED:
            return ()
        delay = rng.uniform(*rng.choice([(0.05, 0.4), (0.05, 0.4), (0.4, 2.0), (2.0, LONGEST_LABEL_DELAY - 0.5)]))
        due = n // ROWS_IN_A_TICK + round(delay * TICKS_IN_A_WINDOW)
        label = _Label(n, delay, due, corrected=False)
        if rng.random() < CORRECTED:
            return label, _Label(n, delay + 0.5, due + TICKS_IN_A_WINDOW // 2, corrected=True)
        return (label,)

    def _label(self, label: _Label) -> Message:
        event_id, happened = self._shop.event_id(label.row), self.event_time(label.row)
        truth = self._shop.outcome(self._seed, label.row, corrected=label.corrected)
        body = {"event_id": event_id, "event_time": happened, "label": truth, "label_time": happened + label.delay * WINDOW}
        kind = "corrected label" if label.corrected else "late label" if label.delay > 1 else "label"
        return Message("labels", kind, json_value(body), event_id.encode(), (JSON_HEADER,), (event_id,))

    def _call(self, n: int, durable: bool) -> Call:
        body = self._shop.row(self._seed, n, self.event_time(n))
        return Call(json_value({"dataframe_records": [body]}), (body["event_id"],), durable)

    def _bad_call(self, number: int) -> Call:
        good = self._shop.row(self._seed, 0, START) | {"event_id": f"{self._shop.name}-refused-{number}"}
        return Call(json_value({"dataframe_records": [good, good | {"amount": "much"}]}), (), durable=True)
