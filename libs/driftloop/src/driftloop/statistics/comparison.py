"""One column's counts against its profile: every statistic that applies, the shares, and the thresholds that were crossed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from driftloop.statistics.distances import STATISTICS
from driftloop.statistics.effect_size import effect_size
from driftloop.statistics.profile import Column, Counts

MISSING, UNSEEN = "missing", "unseen"  # thresholds on the rise of a share
DISTANCE = "distance"  # threshold on the effect size, as it is calibrated
NO_THRESHOLDS: Mapping[str, float] = MappingProxyType({})


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
    """``counts`` on the column's bins. A threshold is crossed by what lies above it; one that does not apply is passed over.

    Statistics leave missing values out. Missing and unseen shares are judged by their rise over the profile's. Without a
    row, and beside a profile without one, every statistic is 0. The effect size is not among them: it counts missing values.
    """
    reference = column.reference
    before, now = shares(column, reference), shares(column, counts)
    found = {name: row.distance(reference[1:], counts[1:]) for name, row in STATISTICS.items() if column.kind in row.kinds}
    distance = effect_size(column.kind, reference, counts)
    judged = found | {DISTANCE: distance, MISSING: now.missing - before.missing, UNSEEN: now.unseen - before.unseen}
    crossed = tuple(name for name, value in judged.items() if name in thresholds and value > thresholds[name])
    return ColumnComparison(found, before, now, crossed, distance)


def shares(column: Column, counts: Counts) -> ColumnShares:
    """What of the rows had no value, a category without a slot, or a value outside the training data's range."""
    rows = int(counts.sum())
    if not rows:
        return ColumnShares(0.0, 0.0, 0.0)
    missing = float(counts[0] / rows)
    if column.kind == "category":
        return ColumnShares(missing, float(counts[-1] / rows), 0.0)
    return ColumnShares(missing, 0.0, float((counts[1] + counts[-1]) / rows))
