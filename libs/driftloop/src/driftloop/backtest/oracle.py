"""The best that promotions could have done in hindsight: which recipe, fitted up to when, at which windows. A dynamic programme."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Best(NamedTuple):
    """``mean``: of the scores over all windows. ``promotions``: (window at which it took over, recipe), in order."""

    mean: float
    promotions: tuple[tuple[int, str], ...]


def best_timing(scores: Mapping[str, npt.NDArray[np.float64]], first: str, promotions: int, *, greater_is_better: bool) -> Best:
    """The highest mean score with at most ``promotions`` changes of the champion.

    ``scores[recipe][f, w]``: of the recipe fitted on all before window ``f``, on window ``w`` ≥ ``f``; NaN: not defined. The first
    version is ``first`` fitted before window 0. A window counts only where all that could have answered for it are defined.

    After window w with u promotions the state is (recipe, f, u). Its best sum comes either from the same champion one window before,
    or, where f = w, from the best of all champions with u − 1: O(windows² × recipes × promotions).
    """
    recipes = list(scores)
    n = next(iter(scores.values())).shape[0]
    sign = 1.0 if greater_is_better else -1.0
    counted = [w for w in range(n) if all(np.isfinite(scores[r][: w + 1, w]).all() for r in recipes)]
    if not counted:
        return Best(float("nan"), ())
    gain = {r: np.where(np.isin(np.arange(n), counted), sign * scores[r], 0.0) for r in recipes}
    held: dict[tuple[str, int, int], tuple[float, tuple[tuple[int, str], ...]]] = {(first, 0, 0): (float(gain[first][0, 0]), ())}
    for w in range(1, n):
        held = _next(held, gain, recipes, w, promotions)
    total, chosen = max(held.values(), key=lambda pair: pair[0])
    return Best(sign * total / len(counted), chosen)


_Held = dict[tuple[str, int, int], tuple[float, tuple[tuple[int, str], ...]]]


def _next(held: _Held, gain: Mapping[str, npt.NDArray[np.float64]], recipes: Sequence[str], w: int, promotions: int) -> _Held:
    after: _Held = {}
    best: dict[int, tuple[float, tuple[tuple[int, str], ...]]] = {}  # of all champions, by how many promotions there were
    for (recipe, fitted, used), (total, chosen) in held.items():
        after[recipe, fitted, used] = (total + float(gain[recipe][fitted, w]), chosen)
        if used < promotions and total > best.get(used, (-np.inf, ()))[0]:
            best[used] = (total, chosen)
    for used, (total, chosen) in best.items():
        for recipe in recipes:
            after[recipe, w, used + 1] = (total + float(gain[recipe][w, w]), (*chosen, (w, recipe)))
    return after
