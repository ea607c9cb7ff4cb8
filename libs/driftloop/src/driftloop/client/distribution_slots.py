"""A column's histogram in training and in a window, put into a few lines for a person. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from driftloop.statistics.profile import Column

MOST_LINES = 12  # neighbouring bins are put together, rare categories counted as others


class Slot(NamedTuple):
    """Rows of one line: of the training data and of the window."""

    label: str
    reference: int
    current: int


def slots(column: Column, reference: Sequence[int], current: Sequence[int], most: int = MOST_LINES) -> list[Slot]:
    """The histogram in ``most`` lines at most, beside missing and what training had not; those without rows are left out."""
    first = Slot("(missing)", reference[0], current[0])
    inner = _ordered(column, reference, current, most) if column.kind == "ordered" else _categories(column, reference, current, most)
    return [slot for slot in (first, *inner) if slot.reference or slot.current]


def _ordered(column: Column, reference: Sequence[int], current: Sequence[int], most: int) -> list[Slot]:
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


def _categories(column: Column, reference: Sequence[int], current: Sequence[int], most: int) -> list[Slot]:
    named = [Slot(name, reference[i], current[i]) for i, name in enumerate(column.categories, start=1)]
    named.sort(key=lambda slot: -max(slot.reference / max(sum(reference), 1), slot.current / max(sum(current), 1)))
    rest = named[most:]
    others = [Slot(f"({len(rest)} others)", sum(s.reference for s in rest), sum(s.current for s in rest))] if rest else []
    return [*named[:most], *others, Slot("(not seen in training)", reference[-1], current[-1])]
