"""How far each column of each window was from its reference, a byte a cell."""

from typing import Any

import msgspec
import numpy as np

from driftloop.contracts.events import DriftReported
from driftloop.contracts.values import DriftVerdict, FeatureDrift
from driftloop.statistics.profile import SCORE
from driftloop_console.columns import Array, Columns, Stored, whole

MAX_ROWS = 400_000  # of one model; with 50 columns that is what 20 versions of 10,000 windows take twice
MAX_CELLS = 20_000_000
MAX_COLUMNS = 5_000
MAX_REASON = 500

# A cell is 0 where nothing is known, 1 where there is no threshold to hold a distance against, else 2 and the ratio of distance to
# threshold in hundredths: pooled by maximum, what is judged wins over what is not, and what is over the threshold over all else.
UNKNOWN, UNJUDGED, JUDGED_FROM, AT_THRESHOLD, MOST = 0, 1, 2, 102, 255

VERDICTS: tuple[DriftVerdict | None, ...] = (None, "calm", "drifted", "uncalibrated")  # None: of before there were verdicts, or no model
_SHARE = 255  # of a share in a byte
DISTANCE_STEPS = 65_535  # of a distance in two


class StoredDrift(msgspec.Struct, frozen=True):
    names: list[str]
    table: Stored
    because: str | None


class DriftTable:
    """Of one model: the newest revision of each window and version."""

    def __init__(self) -> None:
        self.names: list[str] = []  # of columns, in the order in which they came
        self.because: str | None = None  # why nothing can be said of the newest window
        self._at: dict[str, int] = {}
        self.table = Columns(
            {"revision": "i8", "rows": "i8", "verdict": "u1", "distance": "f8", "threshold": "f8", "repeated": "f8", "late_rows": "i8"},
            {"cells": "u1", "distances": "u2", "missing": "u1", "unseen": "u1"},
            max_rows=MAX_ROWS,
        )

    def add(self, event: DriftReported) -> None:
        row, known = self.table.row_of(event.window, event.version)
        if known and self.table["revision"][row] > event.revision:
            return
        columns = dict(event.features) | ({} if event.score is None else {SCORE: event.score})
        places = [place for name in columns if (place := self._place_of(name)) is not None]
        shown = [drift for name, drift in columns.items() if name in self._at]
        self.table.set(
            row,
            revision=whole(event.revision),
            rows=whole(event.rows),
            late_rows=whole(event.late_rows),
            verdict=VERDICTS.index(event.verdict if event.verdict in VERDICTS else None),
            distance=np.nan if event.distance is None else event.distance,
            threshold=np.nan if event.threshold is None else event.threshold,
            repeated=np.nan if event.repeated_threshold is None else event.repeated_threshold,
        )
        if row == self.table.rows - 1:
            self.because = None if event.because is None else event.because[:MAX_REASON]
        ratios = [_ratio(drift, event) for drift in shown]
        self._set(row, "cells", places, [cell(ratio) for ratio in ratios])
        self._set(row, "distances", places, [_scaled(_moved(drift), DISTANCE_STEPS) for drift in shown])
        self._set(row, "missing", places, [_scaled(drift.missing_share, _SHARE) for drift in shown])
        self._set(row, "unseen", places, [_scaled(max(drift.unseen_share, drift.out_of_range_share), _SHARE) for drift in shown])

    def column(self, name: str) -> int | None:
        """Its place among a row's cells; None: no window had it."""
        return self._at.get(name)

    def stored(self) -> StoredDrift:
        return StoredDrift(self.names, self.table.stored(), self.because)

    def restore(self, stored: StoredDrift) -> None:
        self.names, self._at = list(stored.names), {name: at for at, name in enumerate(stored.names)}
        self.because = stored.because
        self.table.restore(stored.table)

    def _place_of(self, name: str) -> int | None:
        """None: there are too many columns, and this one came too late."""
        at = self._at.get(name)
        if at is None and len(self.names) < MAX_COLUMNS:
            at = self._at[name] = len(self.names)
            self.names.append(name)
            self.table.widen(len(self.names))
            self.table.max_rows = max(100, min(MAX_ROWS, MAX_CELLS // len(self.names)))
        return at

    def _set(self, row: int, name: str, places: list[int], values: list[int]) -> None:
        cells = np.zeros(self.table.width, self.table[name].dtype)
        cells[places] = values
        self.table.set_wide(row, name, cells)


def cell(ratio: float | None) -> int:
    """Of a ratio of distance to threshold; None: there is no threshold."""
    if ratio is None or not np.isfinite(ratio):
        return UNJUDGED
    return JUDGED_FROM + min(MOST - JUDGED_FROM, max(0, round(100 * ratio)))


def ratio_of(cells: Array) -> Array:
    """Of cells, the other way round: NaN where nothing is known or nothing is judged. 2.53 stands for all that is larger."""
    found: Array = np.where(cells >= JUDGED_FROM, (cells.astype("f8") - JUDGED_FROM) / 100, np.nan)
    return found


def distances_of(stored: Array) -> Array:
    return stored.astype("f8") / DISTANCE_STEPS


def shares_of(stored: Array) -> Array:
    return stored.astype("f8") / _SHARE


def _ratio(drift: FeatureDrift, event: DriftReported) -> float | None:
    """By the calibrated threshold; where constants judge, the largest of the statistics' ratios to theirs."""
    if event.threshold is not None and drift.distance is not None:
        return drift.distance / event.threshold if event.threshold > 0 else None
    found = [value / limit for name, limit in event.thresholds.items() if limit > 0 and (value := drift.statistic(name)) is not None]
    return max(found, default=None)


def _moved(drift: FeatureDrift) -> float:
    return drift.distance if drift.distance is not None else drift.ks or 0.0


def _scaled(share: float, top: int) -> int:
    return 0 if not share > 0 else min(top, round(share * top))  # NaN is not above 0


def verdict_of(code: Any) -> DriftVerdict | None:
    return VERDICTS[int(code)]
