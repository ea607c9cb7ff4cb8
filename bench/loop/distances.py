"""The trigger of Modyn's DynamicQuantileThresholdCriterion, written anew: Modyn (MIT) is a system of services and no package.

A window's distance from the window that the champion's training ended with is compared with the last KEPT distances: above their
quantile 1 − EXTREME is a trigger. Modyn triggers on the very first distance; here LEAST of them come before a verdict. Distance: the
squared maximum mean discrepancy with a Gaussian kernel whose width is the median of distances (Gretton et al. 2012), of at most
MOST_ROWS evenly spaced rows each.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

KEPT, EXTREME, LEAST = 10, 0.05, 3  # the first two: Modyn's defaults
MOST_ROWS = 500
MOST_CATEGORIES = 50

Points = npt.NDArray[np.float64]


def quantile_of_past(distance: Callable[[int, int], float]) -> Callable[[int, int], bool]:
    """``distance(w, fitted)``: of the window before w. The answer is asked once for each window, in order, as by ``rules.timed``."""
    past: list[float] = []

    def fires(w: int, fitted: int) -> bool:
        found, before = distance(w, fitted), past[-KEPT:]
        past.append(found)
        return len(before) >= LEAST and found > float(np.quantile(before, 1 - EXTREME))

    return fires


def mmd2(a: Points, b: Points) -> float:
    """[rows, dimensions] each; 0 where all points are one."""
    both = np.concatenate([a, b])
    squares = np.square(both).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares[None, :] - 2 * both @ both.T, 0.0)
    width = float(np.median(apart[np.triu_indices(len(both), 1)]))
    if width == 0.0:
        width = float(apart.max())
    if width == 0.0:
        return 0.0
    kernel = np.exp(-apart / width)
    n = len(a)
    return float(kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean())


def points(reference: pa.Table, table: pa.Table, features: Mapping[str, str]) -> tuple[Points, Points]:
    """Both tables as points: numbers in standard deviations of the reference (missing: its mean), categories as 0 and 1/√2 for each of
    the reference's most frequent, so that two rows that differ in one are 1 apart."""
    of_both: list[tuple[Points, Points]] = []
    tables = [_thinned(reference), _thinned(table)]
    for name, kind in features.items():
        columns = [each.column(name) for each in tables]
        if kind in ("number", "integer"):
            values = [np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64) for column in columns]
            known = values[0][np.isfinite(values[0])]
            mean, spread = (float(known.mean()), float(known.std()) or 1.0) if len(known) else (0.0, 1.0)
            scaled = [np.nan_to_num((each - mean) / spread)[:, None] for each in values]
        else:
            texts = [np.array(["" if v is None else str(v) for v in column.to_pylist()]) for column in columns]
            seen, often = np.unique(texts[0], return_counts=True)
            frequent = seen[np.argsort(-often, kind="stable")[:MOST_CATEGORIES]]
            scaled = [(each[:, None] == frequent[None, :]) / np.sqrt(2.0) for each in texts]
        of_both.append((scaled[0], scaled[1]))
    return np.concatenate([one for one, _ in of_both], axis=1), np.concatenate([other for _, other in of_both], axis=1)


def _thinned(table: pa.Table) -> pa.Table:
    step = max(1, len(table) // MOST_ROWS)
    return table.take(pa.array(range(0, len(table), step)))
