"""A column's values in training and in a window, side by side, as a person reads them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from driftloop.cli.output import shown
from driftloop.cli.plot import bar

if TYPE_CHECKING:
    from driftloop.client.distributions import Distribution
    from driftloop.statistics.profile import Column

MOST_LINES = 12  # neighbouring bins are put together, rare categories counted as others
WIDTH = 24
LABEL = 24


class Slot(NamedTuple):
    """Rows of one line: of the training data and of the window."""

    label: str
    reference: int
    current: int


def slots(column: "Column", reference: Sequence[int], current: Sequence[int], most: int = MOST_LINES) -> list[Slot]:
    """The histogram in ``most`` lines at most, beside missing and what training had not; those without rows are left out."""
    first = Slot("(missing)", reference[0], current[0])
    inner = _ordered(column, reference, current, most) if column.kind == "ordered" else _categories(column, reference, current, most)
    return [slot for slot in (first, *inner) if slot.reference or slot.current]


def _ordered(column: "Column", reference: Sequence[int], current: Sequence[int], most: int) -> list[Slot]:
    uppers, n = column.uppers, len(column.uppers)
    if not n:
        return []
    each = -(-n // most)
    found = [Slot(f"below {column.low:.6g}", reference[1], current[1])]
    for at in range(0, n, each):
        end = min(at + each, n)
        low, high = column.low if at == 0 else uppers[at - 1], uppers[end - 1]
        label = f"{high:.6g}" if end - at == 1 and (n <= most) else f"{low:.6g} … {high:.6g}"
        found.append(Slot(label, sum(reference[2 + at : 2 + end]), sum(current[2 + at : 2 + end])))
    return [*found, Slot(f"above {uppers[-1]:.6g}", reference[-1], current[-1])]


def _categories(column: "Column", reference: Sequence[int], current: Sequence[int], most: int) -> list[Slot]:
    named = [Slot(name, reference[i], current[i]) for i, name in enumerate(column.categories, start=1)]
    named.sort(key=lambda slot: -max(slot.reference / max(sum(reference), 1), slot.current / max(sum(current), 1)))
    rest = named[most:]
    others = [Slot(f"({len(rest)} others)", sum(s.reference for s in rest), sum(s.current for s in rest))] if rest else []
    return [*named[:most], *others, Slot("(not seen in training)", reference[-1], current[-1])]


def show_distribution(console: Console, found: "Distribution") -> None:
    """Shares of rows, training above the window."""
    lines = slots(found.column, found.column.counts, found.counts)
    before, now = max(sum(found.column.counts), 1), max(sum(found.counts), 1)
    largest = max((max(slot.reference / before, slot.current / now) for slot in lines), default=1.0)
    window = f"window from {found.window.start:%Y-%m-%d %H:%M} ({now:,} rows)"
    title = f"{found.feature}: = training of v{found.version} ({before:,} rows), # {window}"
    console.print(title, markup=False, highlight=False)
    for slot in lines:
        for label, sign, share in ((slot.label, "=", slot.reference / before), ("", "#", slot.current / now)):
            drawn = bar(share / largest, WIDTH).replace("#", sign)
            line = f"{shown(label)[:LABEL]:<{LABEL}} {100 * share:5.1f} % {drawn}"
            console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
