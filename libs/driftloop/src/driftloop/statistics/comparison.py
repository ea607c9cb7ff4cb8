"""One column's counts against its profile: every statistic that applies, the shares, and the thresholds that were crossed."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from driftloop.statistics.distances import STATISTICS, Pairs
from driftloop.statistics.effect_size import effect_sizes
from driftloop.statistics.profile import Column, Counts, Kind

MISSING, UNSEEN = "missing", "unseen"  # thresholds on the rise of a share
DISTANCE = "distance"  # threshold on the effect size, as it is calibrated
NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})

Sizes = npt.NDArray[np.int64]

# Slots that columns are brought to, so that few shapes are computed with; wider ones stay as they are. Fixed, so that the sums over
# a column are the same to the last bit whatever columns stand beside it.
_WIDTHS: Mapping[Kind, int] = {"ordered": 64 + 3, "category": 200 + 2}


class ColumnShares(NamedTuple):
    """Parts of a histogram's rows, each in [0, 1]; 0 for no rows. ``unseen`` holds categories too rare to be named, too."""

    missing: float
    unseen: float
    out_of_range: float


class ColumnComparison(NamedTuple):
    """``statistics`` by name, those that apply to the column's kind; ``crossed``: names of the thresholds that were."""

    statistics: dict[str, float]
    before: ColumnShares  # of the profile's rows
    now: ColumnShares
    crossed: tuple[str, ...]
    distance: float  # ``effect_size``

    @property
    def drifted(self) -> bool:
        return bool(self.crossed)


def compare(column: Column, counts: Counts, thresholds: Mapping[str, float] = NO_THRESHOLDS) -> ColumnComparison:
    """``compare_columns`` of one."""
    return compare_columns({"": column}, {"": counts}, {"": thresholds})[""]


def compare_columns(
    columns: Mapping[str, Column], counts: Mapping[str, Counts], thresholds: Mapping[str, Mapping[str, float]]
) -> dict[str, ColumnComparison]:
    """Each column with its ``counts``, on the column's bins, and its ``thresholds``; in the order of ``columns``.

    A threshold is crossed by what lies above it; one that does not apply is passed over. Statistics leave missing values out. Missing
    and unseen shares are judged by their rise over the profile's. Without a row, and beside a profile without one, every statistic is
    0. The effect size is not among them: it counts missing values.
    """
    alike: dict[tuple[Kind, int], list[str]] = {}
    for name, column in columns.items():
        alike.setdefault((column.kind, max(column.size, _WIDTHS[column.kind])), []).append(name)
    found = dict[str, ColumnComparison]()
    for (kind, width), names in alike.items():  # what is computed for one costs hardly less than for all
        sizes = np.array([columns[name].size for name in names])
        reference = _padded(chain.from_iterable(columns[name].counts for name in names), sizes, width)
        current = _padded(np.concatenate([counts[name] for name in names]), sizes, width)
        found.update(zip(names, _compared(kind, reference, current, sizes, [thresholds[name] for name in names]), strict=True))
    return {name: found[name] for name in columns}


def _padded(values: Iterable[int], sizes: Sizes, width: int) -> Counts:
    """(columns, width): the slots of one column after those of the other, each with empty ones behind them, which no distance sees."""
    flat = values if isinstance(values, np.ndarray) else np.fromiter(values, np.int64, int(sizes.sum()))
    if len(flat) == len(sizes) * width:
        return flat.reshape(-1, width)
    padded = np.zeros((len(sizes), width), dtype=np.int64)
    padded[np.arange(width) < sizes[:, None]] = flat
    return padded


def _compared(
    kind: Kind, reference: Counts, current: Counts, sizes: Sizes, thresholds: list[Mapping[str, float]]
) -> Iterator[ColumnComparison]:
    """Histograms of one kind, (columns, width)."""
    names = [name for name, row in STATISTICS.items() if kind in row.kinds]
    pairs = Pairs(reference[:, 1:], current[:, 1:], sizes - 1)
    by_name = (STATISTICS[name].distance.of(pairs).tolist() for name in names)
    distances = effect_sizes(kind, reference, current).tolist()
    before, now, order = _shares(kind, reference, sizes), _shares(kind, current, sizes), (*names, DISTANCE, MISSING, UNSEEN)
    for values, was, is_now, distance, of_column in zip(zip(*by_name, strict=True), before, now, distances, thresholds, strict=True):
        found = dict(zip(names, values, strict=True))
        judged = (*values, distance, is_now.missing - was.missing, is_now.unseen - was.unseen)
        crossed = tuple([name for name, value in zip(order, judged, strict=True) if name in of_column and value > of_column[name]])
        yield ColumnComparison(found, was, is_now, crossed, distance)


def shares(column: Column, counts: Counts) -> ColumnShares:
    """What of the rows had no value, a category without a slot, or a value outside the training data's range."""
    return next(_shares(column.kind, counts[None, :], np.array([column.size])))


def _shares(kind: Kind, counts: Counts, sizes: Sizes) -> Iterator[ColumnShares]:
    """``shares`` of each of (columns, width)."""
    rows = np.maximum(counts.sum(axis=1), 1)
    missing, last = (counts[:, 0] / rows).tolist(), counts[np.arange(len(sizes)), sizes - 1]
    if kind == "category":
        return (ColumnShares(none, unseen, 0.0) for none, unseen in zip(missing, (last / rows).tolist(), strict=True))
    outside = ((counts[:, 1] + last) / rows).tolist()
    return (ColumnShares(none, 0.0, out) for none, out in zip(missing, outside, strict=True))
