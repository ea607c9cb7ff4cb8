"""How often a window without drift is called drifted, beside the budget, and how often one with drift is.

Series without drift are made of blocks of each table; a model's reference is their first windows, and the later ones are judged,
as they are and with one column changed by a stated amount. Beside them: an alarm never, always, and where any column's PSI is
above 0.25. The score is left out: it is one more column, of a model that each series would need.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.drift_data import TimedTable, resampled, timed_tables
from bench.figures import Aim, Figure, Limit
from bench.surroundings import Surroundings
from driftloop.statistics.calibration import Budget, PlacedRows, Slotted, calibrate
from driftloop.statistics.distances import psi
from driftloop.statistics.effect_size import effect_size
from driftloop.statistics.histograms import Counter, build_profile
from driftloop.statistics.profile import SCORE, Counts, Profile

ALPHAS = (0.05, 0.1)
K, N = 2, 3
BINS = 64
REFERENCE, LATER, SERIES = 40, 20, 25  # windows of a reference, windows after it, and how many series
BLOCK = 0.1  # mean length of a block, in windows
PSI_ALARM = 0.25

# Of a random column of a window, what is done to all of its rows or to a share of them.
Change = Callable[[TimedTable, pa.Table, np.random.Generator], dict[str, pa.Array] | None]


def _mean(of: TimedTable, rows: pa.Table, random: np.random.Generator) -> dict[str, pa.Array] | None:
    name = _one(_varying(of), random)
    return None if name is None else {name: pc.add(rows[name], 0.5 * _deviation(of, name))}


def _scale(of: TimedTable, rows: pa.Table, random: np.random.Generator) -> dict[str, pa.Array] | None:
    name = _one(_varying(of), random)
    if name is None:
        return None
    middle = pc.mean(of.rows[name]).as_py()
    return {name: pc.add(pc.multiply(pc.subtract(rows[name], middle), 2.0), middle)}


def _missing(of: TimedTable, rows: pa.Table, random: np.random.Generator) -> dict[str, pa.Array] | None:
    name = str(random.choice(of.rows.column_names))
    return {name: pc.if_else(pa.array(random.random(rows.num_rows) < 0.3), pa.scalar(None, rows[name].type), rows[name])}


def _new_category(of: TimedTable, rows: pa.Table, random: np.random.Generator) -> dict[str, pa.Array] | None:
    name = _one(of.categories, random)
    return None if name is None else {name: pc.if_else(pa.array(random.random(rows.num_rows) < 0.2), "a new one", rows[name])}


def _swapped(of: TimedTable, rows: pa.Table, random: np.random.Generator) -> dict[str, pa.Array] | None:
    if len(of.numbers) < 2:
        return None
    one, other = map(str, random.choice(of.numbers, 2, replace=False))
    return {one: rows[other], other: rows[one]}


CHANGES: dict[str, tuple[str, Change]] = {
    "mean": ("half a standard deviation added to a number", _mean),
    "scale": ("a number twice as far from its mean", _scale),
    "missing": ("30 % of a column's values missing", _missing),
    "new category": ("20 % of a category's rows in one that was never seen", _new_category),
    "swapped": ("two numbers in each other's place", _swapped),
}


class Rates(NamedTuple):
    """Shares of windows called drifted. ``by_alpha``: ours, by budget; without a change and with each, as ``psi``, the constant."""

    windows: int
    columns: int
    unjudged: int
    by_alpha: dict[float, dict[str, float]]
    repeated: dict[float, float]  # without a change, at how many windows k of the last n lie above the threshold for that
    psi: dict[str, float]


def measure(around: Surroundings) -> list[Figure]:
    """The flights of the example, or the tables of the folder that DRIFTLOOP_EXTRA_DATA names."""
    figures, lines = [], list[str]()
    for table in timed_tables():
        around.say(f"{table.name}: {SERIES} series of {REFERENCE} + {LATER} windows of {table.per_window} rows")
        rates = rates_of(table)
        lines += _lines(table, rates)
        figures += [_figure(table, rates, alpha) for alpha in ALPHAS]
    for line in (*_header(), *lines):
        print(line)
    return figures


def rates_of(table: TimedTable, series: int = SERIES) -> Rates:
    """Over all series."""
    found = [_Series(table, np.random.default_rng([7, number]), number) for number in range(series)]
    alarms = [one.alarms() for one in found]
    names = ["", *(name for name in CHANGES if name in alarms[0][0])]
    by_alpha = {a: {name: _mean_of(one[0][name][a] for one in alarms) for name in names} for a in ALPHAS}
    return Rates(
        windows=series * LATER,
        columns=len(table.schema.features),
        unjudged=max(one.unjudged for one in found),
        by_alpha=by_alpha,
        repeated={a: _mean_of(one[1][a] for one in alarms) for a in ALPHAS},
        psi={name: _mean_of(one[2][name] for one in alarms) for name in names},
    )


class _Series:
    """One series: its reference calibrated, its later windows judged."""

    def __init__(self, table: TimedTable, random: np.random.Generator, seed: int) -> None:
        per = table.per_window
        rows = table.rows.take(pa.array(resampled(table.rows.num_rows, (REFERENCE + LATER) * per, BLOCK * per, random)))
        reference = rows.slice(0, REFERENCE * per).combine_chunks()
        self._table, self._random = table, random
        self._later = [rows.slice((REFERENCE + i) * per, per).combine_chunks() for i in range(LATER)]
        self._profile: Profile = build_profile(reference, np.empty(0), table.schema, BINS)
        self._counter = Counter(self._profile)
        names = table.schema.feature_names
        slots = self._counter.slots(reference, names)
        columns = {name: Slotted(self._profile.columns[name].kind, self._profile.columns[name].size, slots[name]) for name in names}
        placed = PlacedRows(np.arange(reference.num_rows) / per, columns)
        self._thresholds = {a: calibrate(placed, None, Budget("", a, K, N), seed=seed) for a in ALPHAS}
        self.unjudged = max(len(found.unjudged) for found in self._thresholds.values())

    def alarms(self) -> tuple[dict[str, dict[float, list[bool]]], dict[float, list[bool]], dict[str, list[bool]]]:
        """By change ("" for none): whether each window is called drifted, by alpha; k of n without a change, by alpha; by PSI."""
        ours: dict[str, dict[float, list[bool]]] = {}
        constant: dict[str, list[bool]] = {}
        above = {a: list[bool]() for a in ALPHAS}
        for rows in self._later:
            counts = {name: c for name, c in self._counter.count(rows, np.empty(0)).items() if name != SCORE}
            sizes, psis = self._sizes(counts), self._psis(counts)
            for change, columns in self._changed(rows):
                moved = {name: self._count(name, column) for name, column in columns.items()}
                new_sizes, new_psis = sizes | self._sizes(moved), psis | self._psis(moved)
                constant.setdefault(change, []).append(max(new_psis.values()) > PSI_ALARM)
                for a, found in self._thresholds.items():
                    largest = max((v for name, v in new_sizes.items() if name not in found.unjudged), default=0.0)
                    ours.setdefault(change, {}).setdefault(a, []).append(largest > (found.threshold(rows.num_rows) or 1.0))
                    if not change:
                        above[a].append(largest > (found.repeated_threshold(rows.num_rows) or 1.0))
        repeated = {a: [sum(hits[i - N + 1 : i + 1]) >= K for i in range(N - 1, LATER)] for a, hits in above.items()}
        return ours, repeated, constant

    def _changed(self, rows: pa.Table) -> Iterator[tuple[str, Mapping[str, pa.Array]]]:
        yield "", {}
        for name, (_, change) in CHANGES.items():
            columns = change(self._table, rows, self._random)
            if columns is not None:
                yield name, columns

    def _count(self, name: str, column: pa.Array) -> Counts:
        [slots] = self._counter.slots(pa.table({name: column}), [name]).values()
        return np.bincount(slots, minlength=self._profile.columns[name].size)

    def _sizes(self, counts: Mapping[str, Counts]) -> dict[str, float]:
        columns = self._profile.columns
        return {name: effect_size(columns[name].kind, columns[name].reference, found) for name, found in counts.items()}

    def _psis(self, counts: Mapping[str, Counts]) -> dict[str, float]:
        return {name: psi(self._profile.columns[name].reference[1:], found[1:]) for name, found in counts.items()}


def _one(names: list[str], random: np.random.Generator) -> str | None:
    return str(random.choice(names)) if names else None


def _varying(of: TimedTable) -> list[str]:
    return [name for name in of.numbers if _deviation(of, name) > 0]


def _deviation(of: TimedTable, name: str) -> float:
    return float(pc.stddev(of.rows[name]).as_py() or 0.0)


def _mean_of(lists: Iterator[list[bool]]) -> float:
    return float(np.mean(np.concatenate(list(lists))))


def _figure(table: TimedTable, rates: Rates, alpha: float) -> Figure:
    found = ", ".join(f"{name} {rates.by_alpha[alpha][name]:.0%} ({rates.psi[name]:.0%})" for name in CHANGES if name in rates.psi)
    return Figure(
        name=f"drift-verdicts-{table.name}-{alpha:g}",
        what=f"windows without drift that are called drifted, of {rates.windows}; {rates.columns} columns, {rates.unjudged} not judged",
        value=rates.by_alpha[alpha][""],
        unit="share of windows",
        limit=Limit("the budget", alpha),
        aim=Aim(1.5, "at most", "ratio"),
        note=f"PSI > {PSI_ALARM}: {rates.psi['']:.0%}; found (by PSI): {found}",
    )


def _header() -> list[str]:
    names = ["table", "columns", "rows", "rule", "without drift", f"{K} of {N}", *CHANGES]
    return [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]


def _lines(table: TimedTable, rates: Rates) -> list[str]:
    first = [table.name, f"{rates.columns} ({rates.unjudged})", f"{table.per_window:,}"]
    rules = [(f"calibrated, {alpha:.0%}", rates.by_alpha[alpha], f"{rates.repeated[alpha]:.1%}") for alpha in ALPHAS]
    rules += [
        (f"PSI > {PSI_ALARM}", rates.psi, ""),
        ("never", dict.fromkeys(rates.psi, 0.0), ""),
        ("always", dict.fromkeys(rates.psi, 1.0), ""),
    ]
    lines = []
    for rule, found, repeated in rules:
        changed = [f"{found[name]:.0%}" if name in found else "–" for name in CHANGES]
        lines.append(f"| {' | '.join([*first, rule, f'{found[str()]:.1%}', repeated, *changed])} |")
    return lines
