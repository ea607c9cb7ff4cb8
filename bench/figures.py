"""What a measurement reports: a figure, the limit that was measured beside it, and what was aimed at."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec


class Limit(msgspec.Struct, frozen=True):
    """The same work without driftloop's part, in the figure's unit."""

    what: str
    value: float


class Aim(msgspec.Struct, frozen=True):
    """A bound on the figure itself, or on its ratio to the limit."""

    bound: float
    sense: Literal["at least", "at most"]
    of: Literal["value", "ratio"] = "value"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    name: str
    what: str
    value: float
    unit: str
    limit: Limit
    aim: Aim | None = None
    note: str = ""
    words: tuple[str, str] = ("met", "missed")  # what is said of the aim

    @property
    def ratio(self) -> float:
        """Figure divided by limit: for rates a share of what is possible, for times how often the limit's time."""
        return self.value / self.limit.value if self.limit.value else float("nan")

    @property
    def met(self) -> bool | None:
        """None without an aim."""
        if self.aim is None:
            return None
        measured = self.value if self.aim.of == "value" else self.ratio
        return measured >= self.aim.bound if self.aim.sense == "at least" else measured <= self.aim.bound


def as_json(figures: Sequence[Figure], failed: dict[str, str]) -> bytes:
    """The whole report; ``failed`` says why a measurement gave no figure."""
    rows = [msgspec.to_builtins(figure) | {"ratio": figure.ratio, "met": figure.met} for figure in figures]
    return msgspec.json.format(msgspec.json.encode({"figures": rows, "failed": failed}), indent=2)


def as_line(figure: Figure) -> str:
    """Said as soon as it is measured."""
    return "  ".join(cell for cell in _cells(figure) if cell)


def as_table(figures: Sequence[Figure]) -> str:
    """A line per figure and, below it, what was measured."""
    header = ("name", "figure", "unit", "limit", "ratio", "aim", "")
    lines = [header, *(_cells(figure) for figure in figures)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = [_line(header, widths)]
    for figure, cells in zip(figures, lines[1:], strict=True):
        text += [_line(cells, widths), f"    {figure.what}", f"    limit: {figure.limit.what}"]
        text += [f"    {figure.note}"] if figure.note else []
    return "\n".join(text)


def _cells(figure: Figure) -> tuple[str, ...]:
    aim, met = "", ""
    if figure.aim is not None:
        sign = "≥" if figure.aim.sense == "at least" else "≤"
        aim = f"{sign} {number(figure.aim.bound)}" + ("× limit" if figure.aim.of == "ratio" else "")
        met = figure.words[0] if figure.met else figure.words[1]
    return figure.name, number(figure.value), figure.unit, number(figure.limit.value), f"{figure.ratio:.3g}×", aim, met


def _line(cells: Sequence[Any], widths: Sequence[int]) -> str:
    right = {1, 3, 4, 5}
    return "  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))).rstrip()


def number(value: float) -> str:
    """Three digits that mean something: 412,000, 3.21, 0.0123."""
    if value == 0 or value != value:
        return f"{value:g}"
    if abs(value) >= 1000:
        digits = len(str(int(abs(value)))) - 3
        return f"{round(value, -digits):,.0f}"
    return f"{value:.3g}"
