"""What calibration leaves in a profile: how far the reference's own windows lie from the rest of it. Without numpy.

``statistics.calibration`` makes it, ``monitoring.drift`` judges by it.
"""

import itertools
import math
from bisect import bisect_right

from driftloop.contracts.values import Part


class DriftThresholds(Part, frozen=True, kw_only=True):
    """Thresholds on the largest distance (``effect_size``) over a window's columns, by the window's rows.

    ``false_alarms`` is the budget as the project states it and ``alpha`` the share of windows that it comes to. ``windows``:
    of the project's windows those that the reference has rows of, its *effective* number; fewer than 1 / ``alpha`` of them
    cannot show so rare an event, and there are no thresholds. ``stretches`` were drawn for each of the ``rows``.

    ``rows`` rise, ``thresholds`` and ``repeated`` do not; in between they are interpolated, above the highest the last one
    holds, and below the least there is no verdict. ``repeated``: the threshold for the event that ``k`` of ``n`` windows in a row
    lie above it, empty where the reference is too short for that. A column of ``unjudged`` differs from stretch to stretch
    by half of its rows or more, as what follows the calendar does: it is reported and not judged. The score is judged in
    windows of ``score_from`` rows and more (null: never), as its reference is the rows that were held out, a tenth.
    """

    false_alarms: str
    alpha: float
    windows: int
    stretches: int = 0
    rows: tuple[int, ...] = ()
    thresholds: tuple[float, ...] = ()
    k: int = 1
    n: int = 1
    repeated: tuple[float, ...] = ()
    unjudged: tuple[str, ...] = ()
    score_from: int | None = None

    def problem(self) -> str | None:
        """What is wrong with a table that nobody of ours has written; None: nothing."""
        if len(self.thresholds) != len(self.rows) or len(self.repeated) not in (0, len(self.rows)):
            return f"{len(self.rows)} numbers of rows for {len(self.thresholds)} and {len(self.repeated)} thresholds"
        if any(one >= other for one, other in itertools.pairwise(self.rows)) or any(rows < 1 for rows in self.rows):
            return "numbers of rows that do not rise from 1 or more"
        return None if 0 < self.alpha < 1 else f"an alpha of {self.alpha}"

    @property
    def needed(self) -> int:
        """Effective reference windows without which nothing is judged."""
        return needed_windows(self.alpha)

    def threshold(self, rows: int) -> float | None:
        """For a window of so many rows; None: no verdict."""
        return interpolated(self.rows, self.thresholds, rows)

    def repeated_threshold(self, rows: int) -> float | None:
        """What the window must lie above to be one of the ``k``; None: no verdict."""
        return interpolated(self.rows, self.repeated, rows)


def needed_windows(alpha: float) -> int:
    """The least number that is not below 1 / alpha, however that is rounded."""
    return max(1, math.ceil((1 - 1e-9) / alpha))


def interpolated(rows: tuple[int, ...], thresholds: tuple[float, ...], n: int) -> float | None:
    """The threshold at ``n`` rows, straight between the neighbours in 1/√n, as what few rows add to a distance goes."""
    if not thresholds or n < rows[0]:
        return None
    above = bisect_right(rows, n)
    if above == len(rows):
        return thresholds[-1]
    left, right = rows[above - 1], rows[above]
    part = (1 / math.sqrt(left) - 1 / math.sqrt(n)) / (1 / math.sqrt(left) - 1 / math.sqrt(right))
    return thresholds[above - 1] + part * (thresholds[above] - thresholds[above - 1])
