"""The table of a set: one column of the benchmark a row."""

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from bench.loop import rules
from bench.loop.distances import mmd2, points, quantile_of_past
from bench.loop.fitted import Fitted, fitted
from bench.loop.neighbours import ask, hand_over
from bench.loop.rules import Ruled
from bench.loop.sets import Set
from bench.neighbours.make_env import NEIGHBOURS
from driftloop.local.paths import cache_dir, default_home
from driftloop.statistics.comparison import compare
from driftloop.statistics.histograms import Counter, build_profile
from driftloop.statistics.profile import SCORE

ALL, LATEST = "all", "last:2"
PSI = 0.25  # the rule of thumb


class Column(NamedTuple):
    """``ruled``: mean score, and how often the champion changed; None: not run, and ``words`` say why."""

    name: str
    ruled: Ruled | None
    words: str = ""


def columns(of: Set, refit: str, neighbours: Sequence[str]) -> list[Column]:
    """``refit``: the recipe that all rules fit with again, so that they differ in timing alone. They replace the champion at once;
    only ours has a gate."""
    with fitted(of, [ALL, LATEST, refit]) as found:
        scores, better = found.scores[refit], found.greater_is_better
        thirds = [rules.every(scores, 3, phase) for phase in range(3)]
        best_third, worst_third = (pick(thirds) for pick in ((max, min) if better else (min, max)))
        rows = [
            Column("never", rules.never(scores)),
            Column("every window, latest 2", rules.always(found.scores[LATEST])),
            Column("every window, all history", rules.always(found.scores[ALL])),
            Column("every third window", best_third, f"the best of three phases; the worst {worst_third.mean:.4f}"),
            Column(f"PSI > {PSI:g}", rules.timed(scores, lambda w, f: _moved(found, w, f))),
            Column("score drop", rules.on_score_drop(scores, greater_is_better=better)),
            Column("Modyn's rule: quantile of past distances", rules.timed(scores, quantile_of_past(lambda w, f: _distance(found, w, f)))),
            *_neighbours(found, refit, neighbours),
        ]
        ours = found.ours
        mean = float("nan") if ours.mean_score is None else ours.mean_score
        best = found.oracle(ours.promotions)
        share = rules.share_of_gain(mean, rows[0].ruled.mean if rows[0].ruled else float("nan"), best.mean)
        return [
            *rows,
            Column("ours", Ruled(mean, ours.promotions), f"{share:.0%} of what the oracle gains over never; {_attempts(found)}"),
            Column("oracle", Ruled(best.mean, len(best.promotions)), "ours's recipes at most as many promotions, in hindsight"),
        ]


def _attempts(found: Fitted) -> str:
    ours = found.ours
    return f"{ours.retrainings} attempts, {ours.recalibrations} recalibrations"


def _neighbours(found: Fitted, refit: str, wanted: Sequence[str]) -> list[Column]:
    if not wanted:
        return []
    rows = []
    with TemporaryDirectory(prefix="driftloop-bench-neighbours-") as temporary:
        folder = Path(temporary)
        hand_over(found, refit, folder)
        for name in wanted:
            sys.stderr.write(f"{found.name}: {NEIGHBOURS[name]} …\n")
            told = ask(name, folder, cache_dir(default_home()))
            ruled = None if told.refits is None else rules.at(found.scores[refit], set(told.refits))
            rows.append(Column(NEIGHBOURS[name], ruled, told.words))
    return rows


def _moved(found: Fitted, w: int, f: int) -> bool:
    """Whether any feature of the last window has a PSI above the rule of thumb beside what the model was fitted on."""
    schema = found.project.schema
    reference = found.table.slice(0, found.bounds[f])
    profile = build_profile(reference, np.zeros(len(reference)), schema, 10)
    table = _rows(found, w - 1)
    counts = Counter(profile).count(table.append_column("score", pa.array(np.zeros(len(table)))))
    psis = (compare(column, counts[name]).statistics["psi"] for name, column in profile.columns.items() if name != SCORE)
    return any(psi > PSI for psi in psis)


def _distance(found: Fitted, w: int, f: int) -> float:
    features = {feature.name: feature.type for feature in found.project.schema.features}
    return mmd2(*points(_rows(found, f - 1), _rows(found, w - 1), features))


def _rows(found: Fitted, w: int) -> pa.Table:
    rows = found.of_window(w)
    return found.table.slice(rows.start, rows.stop - rows.start)
