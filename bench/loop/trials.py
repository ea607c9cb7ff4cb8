"""Trials that are on none of the sets: columns swapped and a price list replaced upstream, a strong season, no drift."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bench.loop import rules, streams
from bench.loop.fitted import Fitted, fitted
from bench.loop.rules import Scores
from bench.loop.sets import HERE, Set, opened, with_defaults
from bench.loop.streams import CHANGE, YEAR, clicks, drawn, in_blocks, orders, swapped, table
from driftloop.backtest.loop import PolicyResult
from driftloop.project.reading import read_project

TRIALS = ("swaps", "season", "calm")
NEAR = 0.01  # of the metric: as good as a refit
BLOCK = 14  # rows of chicago: two weeks


class Told(NamedTuple):
    """A row of the report. ``never``, ``always``: the first recipe, and the same fitted again after every window. ``worst_promotion``:
    by how much the new version was better than the old one on its next window, of the promotion where that was least.

    Of a change: ``lost_there``, ``lost_next``: by how much the window of the change and the one after it were worse than the one before;
    ``behind_next``: by how much the one after it was worse than the best refit; ``recovered``: after how many windows ours was within
    NEAR of that.
    """

    stream: str
    ours: float
    never: float
    always: float
    oracle: float
    promotions: int
    worst_promotion: float | None
    lost_there: float | None = None
    lost_next: float | None = None
    behind_next: float | None = None
    recovered: int | None = None


def trial(name: str, seed: int) -> Iterator[Told]:
    """The streams of one of TRIALS. Fits are kept: another run with the same code takes a few seconds."""
    for of, change in _sets(name, seed):
        with fitted(of) as found:
            yield told(found, change)


def _sets(name: str, seed: int) -> Iterator[tuple[Set, int | None]]:
    """Each with the window of its change."""
    of = drawn(seed)
    if name == "swaps":
        yield _made("orders", f"orders, quantity and weight swapped ({seed})", swapped(of, orders(of), "quantity", "weight")), CHANGE
        of = drawn(seed)
        yield _made("orders", f"orders, new price list ({seed})", orders(of, new_list=True)), CHANGE
        of = drawn(seed)
        yield _made("clicks", f"clicks, price and rank swapped ({seed})", swapped(of, clicks(of), "price", "rank")), CHANGE
    elif name == "season":
        yield _made("orders", f"orders, strong season ({seed})", orders(drawn(seed, YEAR), season=0.5)), None
        yield _made("clicks", f"clicks, strong season ({seed})", clicks(drawn(seed, YEAR), season=0.5)), None
    else:
        yield _made("orders", f"orders, calm ({seed})", orders(of)), None
        yield _made("clicks", f"clicks, calm ({seed})", clicks(drawn(seed))), None
        chicago = opened("chicago")
        yield chicago._replace(name=f"chicago in shuffled fortnights ({seed})", table=in_blocks(chicago.table, BLOCK, seed)), None


def _made(project: str, name: str, columns: "dict[str, streams.Values]") -> Set:
    read = with_defaults(read_project(HERE / project))
    made = table(columns)
    return Set(name, read, made)


def told(found: Fitted, change: int | None) -> Told:
    first = found.ours.steps[0].recipe
    sign = 1.0 if found.greater_is_better else -1.0
    scores = {recipe: sign * of for recipe, of in found.scores.items()}
    ours = np.array([np.nan if score is None else sign * score for score in found.ours.scores])
    at = None if change is None else change - found.first
    lost = recovery(ours, best_refits(scores), at) if at is not None else (None, None, None, None)
    return Told(
        found.name,
        sign * float(np.nanmean(ours)),
        rules.never(found.scores[first]).mean,
        rules.always(found.scores[first]).mean,
        found.oracle(found.ours.promotions).mean,
        found.ours.promotions,
        worst_promotion(found.ours, scores, [window.start for window in found.judged]),
        *lost,
    )


def best_refits(scores: "dict[str, Scores]") -> Scores:
    """By window the best of what recipes fitted on all before it say of it; more is better."""
    return np.max([np.diag(of) for of in scores.values()], axis=0)


def recovery(ours: Scores, best: Scores, at: int) -> tuple[float, float, float, int | None]:
    """Of a change at window ``at``, in order of ``Told``; more is better."""
    near = [w for w in range(at + 1, len(ours)) if ours[w] >= best[w] - NEAR]
    return (
        float(ours[at - 1] - ours[at]),
        float(ours[at - 1] - ours[at + 1]),
        float(best[at + 1] - ours[at + 1]),
        near[0] - at if near else None,
    )


def worst_promotion(ours: PolicyResult, scores: "dict[str, Scores]", starts: "list[object]") -> float | None:
    """None where nothing was promoted. ``scores``: more is better; ``starts``: of the judged windows, which versions are fitted to."""
    gains = [
        float(scores[new.recipe][w + 1, w + 1] - scores[old.recipe][starts.index(old.fitted_to), w + 1])
        for w, (old, new) in enumerate(zip(ours.steps, ours.steps[1:], strict=False))
        if old.promoted
    ]
    return min(gains) if gains else None
