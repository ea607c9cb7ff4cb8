"""Thresholds for drift, from the reference itself: what a window of it would have looked like beside the rest of it.

Rows of one stream are not independent: weather, seasons and campaigns last for days, so a window of it never looks like rows
drawn from it one by one. A contiguous stretch as long as a window does. With 20 autocorrelated columns and a budget of 5 %,
thresholds from rows drawn one by one give alarms in every window, from moving blocks of the textbook's length in 28 to 94 %,
these in 5 to 7 %. The largest distance over all columns is what is calibrated, so that the whole family keeps the budget
(Westfall and Young, Resampling-Based Multiple Testing, 1993, the maximum as test statistic; a permutation's p-value counts
itself: Phipson and Smyth 2010, hence B + 1).

Pure numpy. A stretch costs a subtraction of cumulative counts, whatever its rows.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from driftloop.statistics.drift_thresholds import DriftThresholds, needed_windows
from driftloop.statistics.effect_size import Floats, effect_sizes
from driftloop.statistics.profile import Kind

Slots = npt.NDArray[np.int64]

STRETCHES = 300
MOST_STRETCHES = 20_000
RANKS = 5  # stretches that lie above the threshold, at the least: a rare event takes more of them than STRETCHES
LENGTHS = tuple(2.0**-i for i in range(7))  # of a window: of fewer rows there are shorter stretches
LEAST_ROWS = 50  # of a window with a verdict
LEAST_SCORES = 100  # held-out rows in a stretch, or its score says nothing: by chance it is 0.14 away in one of 20
FOLLOWS_CALENDAR = 0.5  # a column whose stretches are so far from the rest as a rule


class Slotted(NamedTuple):
    """One column's rows as the slots of its histogram of ``size`` that they fall into."""

    kind: Kind
    size: int
    slots: Slots


class PlacedRows:
    """Rows by their places in event time, in windows (``window_places``), with the columns that they have."""

    def __init__(self, places: Floats, columns: Mapping[str, Slotted]) -> None:
        order = np.argsort(places, kind="stable")
        self.places: Floats = places[order]
        self.columns = {name: column._replace(slots=column.slots[order]) for name, column in sorted(columns.items())}

    def only(self, names: Sequence[str]) -> "PlacedRows":
        return PlacedRows(self.places, {name: self.columns[name] for name in names})


class Budget(NamedTuple):
    """``alpha``: the share of windows that may be a false alarm; also of those at which ``k`` of the last ``n`` are one."""

    words: str
    alpha: float
    k: int = 1
    n: int = 1


class _Stretches(NamedTuple):
    """Pieces [starts, ends) of event time, and what each is not compared with: [left, right), which it lies in."""

    starts: Floats
    ends: Floats
    left: Floats
    right: Floats

    def rows(self, places: Floats) -> npt.NDArray[np.int64]:
        """How many of the sorted places lie in each."""
        return np.searchsorted(places, self.ends) - np.searchsorted(places, self.starts)


class _Entry(NamedTuple):
    """Thresholds for windows of ``rows`` rows. ``repeated`` None: it cannot be told."""

    rows: int
    threshold: float
    repeated: float | None
    with_score: bool


def calibrate(features: PlacedRows, score: PlacedRows | None, budget: Budget, *, seed: int = 0) -> DriftThresholds:
    """Thresholds of the largest distance over all columns; their order, that of rows and that of equal times change nothing.

    ``score``: the rows that were held out, with the one column of the score. For each length of LENGTHS B stretches are spread
    over the reference, each at a random place of its own share of it, and T is the largest distance between a stretch and
    the rest of the reference. The threshold is the ⌈(1 − α)(B + 1)⌉-th of the T. There is none with fewer effective windows
    than 1/α, without a column that can be judged, and where a window has fewer than LEAST_ROWS rows as a rule.
    """
    windows = len(np.unique(np.floor(features.places)))
    found = DriftThresholds(false_alarms=budget.words, alpha=budget.alpha, windows=windows, k=budget.k, n=budget.n)
    if windows < max(2, needed_windows(budget.alpha)):
        return found
    count = min(MOST_STRETCHES, max(STRETCHES, math.ceil(RANKS / budget.alpha)))
    spread = (np.arange(count) + np.random.default_rng(seed).random(count)) / count
    judged = features.only(_judged(features, _drawn(features.places, spread, 1.0)))
    entries: dict[int, _Entry] = {}
    for length in LENGTHS:
        entry = _entry(judged, score, budget, spread, length)
        if entry is None:
            break
        entries.setdefault(entry.rows, entry)
    table = [entries[rows] for rows in sorted(entries)]
    repeated = [entry.repeated for entry in table if entry.repeated is not None]
    return msgspec.structs.replace(
        found,
        stretches=count,
        rows=tuple(entry.rows for entry in table),
        thresholds=_falling([entry.threshold for entry in table]),
        repeated=_falling(repeated) if len(repeated) == len(table) else (),
        unjudged=tuple(name for name in features.columns if name not in judged.columns),
        score_from=min((entry.rows for entry in table if entry.with_score), default=None),
    )


def _judged(features: PlacedRows, stretches: _Stretches) -> list[str]:
    """Columns that do not follow the calendar."""
    enough = stretches.rows(features.places) >= LEAST_ROWS
    if not enough.any():
        return []
    found = _distances(features, stretches)
    return [name for name, values in found.items() if np.median(values[enough]) < FOLLOWS_CALENDAR]


def _entry(judged: PlacedRows, score: PlacedRows | None, budget: Budget, spread: Floats, length: float) -> _Entry | None:
    """Thresholds from stretches of one length; None: too few rows, nothing to judge, or so rare an event is not shown."""
    single = _drawn(judged.places, spread, length)
    median = int(np.median(single.rows(judged.places)))
    if median < LEAST_ROWS or not judged.columns:
        return None
    used = score if score is not None and np.median(single.rows(score.places)) >= LEAST_SCORES else None
    threshold = _ranked(_largest(judged, used, single)[single.rows(judged.places) >= LEAST_ROWS], budget.alpha)
    if threshold is None:
        return None
    repeated = threshold if budget.n == 1 else _k_of_n(judged, used, budget, spread, length)
    return _Entry(median, threshold, repeated, used is not None)


def _k_of_n(judged: PlacedRows, score: PlacedRows | None, budget: Budget, spread: Floats, length: float) -> float | None:
    """The threshold that the k-th largest of n stretches, a window apart, lies above in alpha of all places.

    All n are left out of what each is compared with, as the windows after training are. None: of a shorter reference than 2n windows
    too little would be left.
    """
    if judged.places[-1] - judged.places[0] < 2 * budget.n - 1:
        return None
    stretches = _drawn(judged.places, spread, length, budget.n)
    enough = stretches.rows(judged.places) >= LEAST_ROWS
    largest = np.where(enough, _largest(judged, score, stretches), 0.0).reshape(len(spread), budget.n)
    return _ranked(np.sort(largest, axis=1)[:, budget.n - budget.k], budget.alpha)


def _drawn(places: Floats, spread: Floats, length: float, n: int = 1) -> _Stretches:
    """``n`` stretches a window apart at each point of ``spread``, one after the other."""
    low, high = places[0], np.nextafter(places[-1], np.inf)
    total = n - 1 + length
    first = low + spread * max(high - low - total, 0.0)
    starts = (first[:, None] + np.arange(n)).ravel()
    left, right = (np.repeat(edge, n) for edge in (first, first + total))
    return _Stretches(starts, starts + length, left, right)


def _largest(judged: PlacedRows, score: PlacedRows | None, stretches: _Stretches) -> Floats:
    """T of each stretch. A score of few rows says nothing."""
    found = list(_distances(judged, stretches).values())
    if score is not None:
        enough = stretches.rows(score.places) >= LEAST_SCORES
        found += [np.where(enough, values, 0.0) for values in _distances(score, stretches).values()]
    return np.asarray(np.max(np.stack(found), axis=0))


def _distances(rows: PlacedRows, stretches: _Stretches) -> dict[str, Floats]:
    """Of each stretch from the rest, by column: differences of cumulative counts over the cells between all edges."""
    edges = np.unique(np.concatenate(stretches))
    before = np.searchsorted(rows.places, edges)  # rows before each edge
    cells = np.repeat(np.arange(edges.size + 1), np.diff(before, prepend=0, append=rows.places.size))
    start, end, left, right = (np.searchsorted(edges, edge) for edge in stretches)
    found = {}
    for name, (kind, size, slots) in rows.columns.items():
        counts = np.bincount(cells * size + slots, minlength=(edges.size + 1) * size)
        upto = np.cumsum(counts.reshape(edges.size + 1, size), axis=0)  # row i: what lies before edge i
        found[name] = effect_sizes(kind, upto[-1] - (upto[right] - upto[left]), upto[end] - upto[start])
    return found


def _ranked(values: Floats, alpha: float) -> float | None:
    """The ⌈(1 − α)(B + 1)⌉-th smallest of B values; None: so rare an event they do not show."""
    rank = math.ceil((1 - alpha) * (len(values) + 1) - 1e-9)
    return float(np.sort(values)[rank - 1]) if 1 <= rank <= len(values) else None


def _falling(thresholds: Sequence[float]) -> tuple[float, ...]:
    """Made so that more rows never have a higher one."""
    return tuple(np.maximum.accumulate(np.asarray(thresholds)[::-1])[::-1].tolist())
