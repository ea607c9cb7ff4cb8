"""`python -m bench.loop [NAME …]`: one default policy, untouched from set to set, beside rules that people use today.

Sets: flights, rodents and chicago of the examples, and the projects in the folders that DRIFTLOOP_EXTRA_DATA names, separated by colons.
All columns refit with the same fits, so that they differ in timing and recipe alone. Reports, asserts nothing.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow as pa

from bench.loop import rules
from bench.loop.rules import Ruled, Scores
from driftloop.artifact.scoring import target_values
from driftloop.backtest.fits import Fits
from driftloop.backtest.loop import Loop, Windows
from driftloop.backtest.oracle import best_timing
from driftloop.backtest.run import recipe_scores
from driftloop.backtest.source import Rows, read_rows
from driftloop.backtest.windows import equal_windows, windows_with_rows
from driftloop.contracts.values import Window
from driftloop.errors import UserError
from driftloop.local.paths import cache_dir, default_home
from driftloop.project.model import Project, Promotion, Training
from driftloop.project.reading import read_project
from driftloop.project.recipes import parse_recipe
from driftloop.statistics.comparison import compare
from driftloop.statistics.histograms import Counter, build_profile
from driftloop.statistics.profile import SCORE

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ALL, LATEST = "all", "last:2"
PSI = 0.25  # the rule of thumb


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.loop", description=__doc__)
    parser.add_argument("names", nargs="*", help="sets: flights, rodents, chicago, or folders of projects; default: all")
    chosen = parser.parse_args(arguments)
    folders = [EXAMPLES / name if (EXAMPLES / name).is_dir() else Path(name) for name in chosen.names] or [
        *(EXAMPLES / name for name in ("flights", "rodents", "chicago")),
        *map(Path, filter(None, os.environ.get("DRIFTLOOP_EXTRA_DATA", "").split(":"))),
    ]
    try:
        for folder in folders:
            _print(folder.name, _measured(folder))
    except UserError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 2
    return 0


def _measured(folder: Path) -> dict[str, tuple[Ruled, str]]:
    """By column: mean score with how often the champion changed, and words beside it."""
    project = read_project(folder)
    # the defaults, whatever the example spells out
    project = msgspec.structs.replace(project, training=Training(), promotion=Promotion())
    rows = read_rows(folder / (project.backtest.data or ""), project)
    plan = project.windows if project.backtest.windows is None else equal_windows(rows.table, project.backtest.windows)
    windows, first = windows_with_rows(rows.table, plan), project.backtest.first
    judged = windows[first:]
    by_window = Windows(project, rows.table, target_values(rows.table.column("label"), project.schema))
    recipes = [*project.training.candidates, ALL, LATEST]
    members = [member for text in recipes for member in parse_recipe(text).members]
    better = project.task_metric.metric.greater_is_better
    with TemporaryDirectory(prefix="driftloop-bench-loop-") as temporary:
        fits = Fits(project, plan, rows.table, Path(temporary), cache_dir(default_home()) / "backtest")
        ends = [*(window.start for window in judged), *(window.end for window in judged[:-1])]
        fits.prepare(members, dict.fromkeys(ends), lambda done, of: sys.stderr.write(f"\r{project.name}: {done} of {of} fits "))
        sys.stderr.write("\n")
        scores = {text: recipe_scores(text, project, fits, by_window, judged) for text in dict.fromkeys(recipes)}
        ours = Loop(project, by_window, windows, first, fits).run("ours")
    thirds = [rules.every(scores[ALL], 3, phase) for phase in range(3)]
    best = best_timing(
        {text: scores[text] for text in project.training.candidates}, ours.steps[0].recipe, ours.promotions, greater_is_better=better
    )
    psi = _psi_rule(project, rows, windows, first, scores[ALL])
    return {
        "never": (rules.never(scores[ALL]), ""),
        "every window, latest 2": (rules.always(scores[LATEST]), ""),
        "every window, all history": (rules.always(scores[ALL]), ""),
        "every third window, all": (max(thirds) if better else min(thirds), f"the worst of three phases {min(thirds).mean:.4f}"),
        f"PSI > {PSI:g}": (psi, ""),
        "score drop": (rules.on_score_drop(scores[ALL], greater_is_better=better), ""),
        "ours": (Ruled(float("nan") if ours.mean_score is None else ours.mean_score, ours.promotions), f"{ours.retrainings} attempts"),
        "oracle": (Ruled(best.mean, len(best.promotions)), "the same recipes, at most as many promotions"),
    }


def _psi_rule(project: Project, rows: Rows, windows: Sequence[Window], first: int, scores: Scores) -> Ruled:
    """Refit when any feature of the last window has a PSI above the rule of thumb beside what the model was fitted on."""
    times = rows.table.column("event_time")
    starts = [int(np.searchsorted(times.to_numpy(), np.datetime64(w.start.replace(tzinfo=None), "us"))) for w in windows]
    bounds = [*starts, len(times)]

    def moved(w: int, fitted: int) -> bool:
        reference = rows.table.slice(0, bounds[first + fitted])
        profile = build_profile(reference, np.zeros(len(reference)), project.schema, 10)
        table = rows.table.slice(bounds[first + w - 1], bounds[first + w] - bounds[first + w - 1])
        counts = Counter(profile).count(table.append_column("score", pa.array(np.zeros(len(table)))))
        found = (compare(column, counts[name]).statistics["psi"] for name, column in profile.columns.items() if name != SCORE)
        return any(psi > PSI for psi in found)

    return rules.timed(scores, moved)


def _print(name: str, found: dict[str, tuple[Ruled, str]]) -> None:
    sys.stdout.write(f"\n## {name}\n\n| rule | mean | refits | |\n|---|---|---|---|\n")
    for column, (ruled, words) in found.items():
        sys.stdout.write(f"| {column} | {ruled.mean:.4f} | {ruled.refits} | {words} |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
