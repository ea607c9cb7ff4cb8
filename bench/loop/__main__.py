"""`python -m bench.loop [SET …]`: one default policy, untouched from set to set, beside rules that people use today and what other
projects' triggers would have done. `--trial`: on made streams with a swap, a season or no drift. Reports, asserts nothing.

Sets: flights, rodents and chicago of the examples, stops where DRIFTLOOP_EXTRA_DATA names the folder with stops.parquet, and folders of
projects. All rules fit again with the same recipe, so that they differ in timing alone.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence

from bench.loop import sets
from bench.loop.columns import ALL, Column, columns
from bench.loop.trials import TRIALS, Told, trial
from bench.neighbours.make_env import NEIGHBOURS
from driftloop.errors import UserError
from driftloop.project.recipes import parse_recipe


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.loop", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SET", help="default: all whose rows are at hand")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="of each set, every N-th row alone")
    parser.add_argument("--refit", default=ALL, metavar="RECIPE", help="that all rules but ours fit with again (default: all)")
    parser.add_argument("--neighbours", default=",".join(NEIGHBOURS), metavar="NAMES", help="separated by commas; default: all; none: ''")
    parser.add_argument("--trial", action="append", choices=TRIALS, default=[], help="made streams instead of sets; may be given again")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="of each trial, so many streams")
    chosen = parser.parse_args(arguments)
    neighbours = [name for name in chosen.neighbours.split(",") if name]
    if unknown := [name for name in neighbours if name not in NEIGHBOURS]:
        parser.error(f"no neighbour {', '.join(unknown)}: choose from {', '.join(NEIGHBOURS)}")
    if min(chosen.every, chosen.seeds) < 1:
        parser.error("--every and --seeds are at least 1")
    try:
        parse_recipe(chosen.refit)
        if chosen.trial:
            _print_trials(told for name in dict.fromkeys(chosen.trial) for seed in range(chosen.seeds) for told in trial(name, seed))
            return 0
        wanted = chosen.names or sets.names()
        sets.check(wanted)
        for name in wanted:
            started = time.monotonic()
            found = columns(sets.opened(name, chosen.every), chosen.refit, neighbours)
            _print(name, chosen.every, found, time.monotonic() - started)
    except UserError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 2
    return 0


def _print(name: str, every: int, found: Sequence[Column], seconds: float) -> None:
    thinned = f", every {every}th row" if every > 1 else ""
    sys.stdout.write(f"\n## {name}{thinned} ({seconds:.0f} s)\n\n| rule | mean | refits | |\n|---|---|---|---|\n")
    for column in found:
        figures = "– | –" if column.ruled is None else f"{column.ruled.mean:.4f} | {column.ruled.refits}"
        sys.stdout.write(f"| {column.name} | {figures} | {column.words} |\n")
    sys.stdout.flush()


def _print_trials(found: Iterable[Told]) -> None:
    sys.stdout.write(f"\n| {' | '.join(Told._fields)} |\n|{'---|' * len(Told._fields)}\n")
    for told in found:
        cells = ("–" if cell is None else f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in told)
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
