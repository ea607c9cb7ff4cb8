"""How long a window is: about twenty of them, each with enough labelled rows."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from driftloop.contracts.windows import parse_duration
from driftloop.errors import UserError

WANTED = 20
ENOUGH = 200  # labelled rows of a window: what an attempt and its judgement ask for by default
FEWEST = 5  # two for the first version, one to judge the second on, and some to live through
LENGTHS = (
    *("1s", "10s", "1m", "5m", "15m", "30m", "1h", "2h", "3h", "6h", "12h"),
    *("1d", "2d", "3d", "7d", "14d", "28d", "56d", "91d", "182d", "365d", "730d", "1825d"),
)


class WindowChoice(NamedTuple):
    """``every``: as ``driftloop.toml`` writes it; ``windows``: that have labelled rows; ``rows``: labelled, of the middle one by size."""

    every: str
    windows: int
    rows: int

    @property
    def why(self) -> str:
        few = "" if self.rows >= ENOUGH else f", fewer than the {ENOUGH} that are usual"
        return f"{self.windows} windows with rows, {self.rows:,} labelled rows in the middle one by size{few}"


def choose_windows(micros: npt.NDArray[np.int64], stated: str | None) -> WindowChoice:
    """``micros``: event times of the labelled rows. Raises UserError where they make no windows."""
    micros = np.sort(micros)
    if stated is not None:
        try:
            length = parse_duration(stated)
        except (ValueError, OverflowError) as exc:
            raise UserError(f"--every: {exc}") from exc
        if not length:
            raise UserError(f"--every: {stated!r} is no time at all: write one such as 7d")
        return _of(micros, stated)
    choices = [choice for choice in (_of(micros, every) for every in LENGTHS) if choice.windows >= FEWEST]
    if not choices:
        raise UserError(
            f"the {len(micros):,} labelled rows lie within {_span(micros)}: they make no {FEWEST} windows of a second and more, "
            "and a loop lives from one window to the next; take rows of a longer time, or another column with --time"
        )
    enough = [choice for choice in choices if choice.rows >= ENOUGH]
    if not enough:
        return max(choices, key=lambda choice: (choice.rows, choice.windows))
    return min(enough, key=lambda choice: abs(np.log(choice.windows / WANTED)))


def _of(micros: npt.NDArray[np.int64], every: str) -> WindowChoice:
    """``micros`` in order."""
    length = int(parse_duration(every).total_seconds() * 1e6)
    numbers = micros // max(length, 1)
    counts = np.diff(np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1, append=numbers[-1:] + 1)))
    return WindowChoice(every, len(counts), int(np.median(counts)) if len(counts) else 0)


def _span(micros: npt.NDArray[np.int64]) -> str:
    return f"{(int(micros.max()) - int(micros.min())) / 1e6:,.0f} s" if len(micros) else "no time"
