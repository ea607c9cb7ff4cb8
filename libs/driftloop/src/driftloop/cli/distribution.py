"""A column's values in training and in a window, side by side, as a person reads them."""

from typing import TYPE_CHECKING

from rich.console import Console

from driftloop.cli.output import shown
from driftloop.cli.plot import bar

if TYPE_CHECKING:
    from driftloop.client.distributions import Distribution

WIDTH = 24
LABEL = 24


def show_distribution(console: Console, found: "Distribution") -> None:
    """Shares of rows, training above the window."""
    from driftloop.client.distribution_slots import slots

    lines = slots(found.column, found.column.counts, found.counts)
    before, now = max(sum(found.column.counts), 1), max(sum(found.counts), 1)
    largest = max((max(slot.reference / before, slot.current / now) for slot in lines), default=1.0)
    window = f"window from {found.window.start:%Y-%m-%d %H:%M} ({now:,} rows)"
    season = "" if found.season is None else f" from {found.season.start:%Y-%m-%d} to {found.season.end:%Y-%m-%d}, the season a year before"
    title = f"{found.feature}: = training of v{found.version}{season} ({before:,} rows), # {window}"
    console.print(title, markup=False, highlight=False)
    for slot in lines:
        for label, sign, share in ((slot.label, "=", slot.reference / before), ("", "#", slot.current / now)):
            drawn = bar(share / largest, WIDTH).replace("#", sign)
            line = f"{shown(label)[:LABEL]:<{LABEL}} {100 * share:5.1f} % {drawn}"
            console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
