"""Small plots of plain characters: readable without colour, in a pipe and in a mail. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

WIDTH = 40  # characters of a plot, without its labels


class Mark(NamedTuple):
    """A line of a plot: a value with what it may be wrong by, both ends None where nobody knows. ``sign`` stands at the value."""

    label: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    sign: str = "o"
    note: str = ""


def marks(lines: Sequence[Mark], width: int = WIDTH) -> list[str]:
    """Each value on one scale, from the least to the largest that occurs, whose ends the last line names."""
    known = [x for line in lines for x in (line.value, line.lower, line.upper) if x is not None]
    if not known:
        return []
    low, high = min(known), max(known)

    def at(x: float) -> int:
        return round((x - low) / (high - low) * (width - 1)) if high > low else width // 2

    margin = max(len(line.label) for line in lines)
    drawn = [f"{line.label:<{margin}} |{_drawn(line, at, width)}| {line.note}".rstrip() for line in lines]
    ends = f"{low:.4g}".ljust(width // 2) + f"{high:.4g}".rjust(width - width // 2)
    return [*drawn, f"{'':<{margin}}  {ends}"]


def _drawn(line: Mark, at: Callable[[float], int], width: int) -> str:
    cells = [" "] * width
    if line.lower is not None and line.upper is not None:
        for i in range(at(line.lower), at(line.upper) + 1):
            cells[i] = "-"
    if line.value is not None:
        cells[at(line.value)] = line.sign
    return "".join(cells)


def bar(share: float, width: int = WIDTH) -> str:
    """A share of 0 to 1 as so much of ``width``; what is more than nothing is seen."""
    full = round(min(max(share, 0.0), 1.0) * width)
    return "#" * max(full, 1 if share > 0 else 0)


def beside_a_limit(ratio: float, limit_at: int = 20, width: int = WIDTH) -> str:
    """A bar whose limit, a ratio of 1, stands as ``|`` at ``limit_at``; ``>`` where the bar goes on."""
    full = round(max(ratio, 0.0) * limit_at)
    cells = ["#" if i < full else " " for i in range(width)]
    cells[limit_at] = "|"
    if full > width:
        cells[-1] = ">"
    return "".join(cells).rstrip()
