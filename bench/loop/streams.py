"""Made streams: WINDOWS windows of PER_WINDOW rows, the same for a seed. From window CHANGE on, something may be different upstream.

``orders``: a price is list price × quantity × (1 − discount) + freight, with a tenth of a rise with the month. ``clicks``: chances by
five numbers. The features' names and types are those of the projects beside this file.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

WINDOWS, PER_WINDOW = 20, 1_000
CHANGE = 9  # the first window of another kind
START, WINDOW = datetime(2025, 1, 1, tzinfo=UTC), timedelta(days=30)
PRODUCTS, MONTHS = 12, 12
YEAR = 6.0  # windows of the strong season

Values = npt.NDArray[Any]


class Drawn(NamedTuple):
    """Of all rows in order of event time: ``window``, the random numbers' generator, and ``month`` of the season (0 to 11)."""

    window: npt.NDArray[np.int64]
    month: npt.NDArray[np.int64]
    random: np.random.Generator


Stream = Callable[[Drawn], dict[str, Values]]


def drawn(seed: int, year: float = 12.0) -> Drawn:
    """``year``: windows that the twelve months last."""
    at = np.arange(WINDOWS * PER_WINDOW)
    month = (at / PER_WINDOW / year * MONTHS).astype(np.int64) % MONTHS
    return Drawn(at // PER_WINDOW, month, np.random.default_rng(seed))


def table(columns: dict[str, Values]) -> pa.Table:
    """As ``read_rows`` gives it; each row is its own entity."""
    n = WINDOWS * PER_WINDOW
    step = WINDOW / PER_WINDOW
    ids = [f"{i:06d}" for i in range(n)]
    times = pa.array([START + i * step for i in range(n)], pa.timestamp("us", tz="UTC"))
    return pa.table({"event_id": ids, "event_time": times, "entity": ids, **{name: pa.array(values) for name, values in columns.items()}})


def orders(of: Drawn, *, new_list: bool = False, season: float = 0.0) -> dict[str, Values]:
    """``new_list``: other list prices from CHANGE on. ``season``: the share by which prices swing with the month."""
    random, n = of.random, len(of.window)
    product = random.integers(PRODUCTS, size=n)
    lists = np.stack([random.uniform(5, 50, PRODUCTS) for _ in range(2)])
    phases = random.uniform(0, 2 * np.pi, PRODUCTS)
    quantity, weight = random.integers(1, 8, n).astype(float), random.gamma(2.0, 2.0, n)
    discount, distance = random.choice([0.0, 0.1, 0.2, 0.3], n), random.uniform(0, 100, n)
    price = lists[(of.window >= CHANGE).astype(int) if new_list else np.zeros(n, dtype=int), product]
    swing = 1 + season * np.sin(2 * np.pi * of.month / MONTHS + phases[product])
    clean = price * swing * quantity * (1 - discount) + 0.2 * distance * np.sqrt(weight)
    return {
        "product": np.array([f"p{i:02d}" for i in product]),
        "quantity": quantity,
        "discount": discount,
        "distance": distance,
        "weight": weight,
        "month": of.month + 1,
        "label": clean + random.normal(0, 30, n),
    }


def clicks(of: Drawn, *, season: float = 0.0) -> dict[str, Values]:
    """``season``: how strongly what draws people changes with the month."""
    random, n = of.random, len(of.window)
    price, rank, age, visits, noise = random.normal(size=(5, n))
    turn = season * np.sin(2 * np.pi * of.month / MONTHS)
    logit = (1.5 - 2 * turn) * price - 1.2 * rank + 0.8 * np.abs(age) + (0.8 + 2 * turn) * visits * (rank > 0) - 0.5
    clicked = random.random(n) < 1 / (1 + np.exp(-logit))
    return {"price": price, "rank": rank, "age": age, "visits": visits, "noise": noise, "month": of.month + 1, "label": clicked}


def swapped(of: Drawn, columns: dict[str, Values], one: str, other: str) -> dict[str, Values]:
    """From CHANGE on the producer confuses two columns; labels stay what they are."""
    late = of.window >= CHANGE
    return columns | {one: np.where(late, columns[other], columns[one]), other: np.where(late, columns[one], columns[other])}


def in_blocks(rows: pa.Table, block: int, seed: int) -> pa.Table:
    """A table without drift: blocks of rows change places, while ids and times stay."""
    n = len(rows)
    blocks = np.array_split(np.arange(n), max(1, n // block))
    order = np.concatenate([blocks[i] for i in np.random.default_rng(seed).permutation(len(blocks))])
    kept = ("event_id", "event_time", "entity")
    return pa.table({name: rows.column(name) if name in kept else rows.column(name).take(pa.array(order)) for name in rows.column_names})
