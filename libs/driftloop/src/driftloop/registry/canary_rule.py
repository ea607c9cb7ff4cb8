"""May a canary go on? From what its answers lost beside the champion's, window by window. Pure; plain Python.

Each look is at all windows of the canary so far: their differences are weighed by 1/error², which gives a mean and its error. The alarm is
raised when the lower bound of that mean lies above ``tolerance``. Looks are told apart so that asking often is not being wrong often: the
k-th may be wrong with chance α / (k (k + 1)), which add up to α (a union bound), by the normal approximation of a mean over entities.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

from msgspec import UNSET

from driftloop.contracts.canary import CanaryWindow
from driftloop.contracts.commands import MoveCanary
from driftloop.contracts.values import PromotionRules
from driftloop.registry.records import CanaryRecord

LEAST_ERROR = 1e-6  # of a window whose losses are all the same


class Verdict(NamedTuple):
    """``reason``: one sentence with the figures."""

    step: Literal["next", "back", "stay"]
    reason: str


class Harm(NamedTuple):
    """Mean loss of the canary less the champion's, and the lower bound that an alarm asks about."""

    difference: float
    lower: float


def verdict(now: CanaryRecord, rules: PromotionRules, command: MoveCanary) -> Verdict:
    """Back as soon as harm is shown; on once the step has had its windows, and ``min_rows`` labelled rows of the canary in them."""
    windows = [window for window in command.windows if now.began <= window.epoch <= now.epoch]
    if not all(map(_can_be, windows)) or not 0 < command.alpha < 1 or not math.isfinite(command.tolerance):
        return Verdict("stay", "the measurements cannot be")
    here = [window for window in windows if window.epoch == now.epoch]
    if not windows:
        return Verdict("stay", f"{now.words()} stays: nothing was measured of it yet")
    harm = harm_of(windows, command.alpha)
    found = f"loss {harm.difference:+.4f} beside the champion's, at least {harm.lower:+.4f}, over {_count(len(windows), 'window')}"
    if harm.lower > command.tolerance:
        return Verdict("back", f"{now.words()} steps back: {found}, above the tolerance {command.tolerance:+.4f}")
    needed = 1 if rules.canary_windows is UNSET else rules.canary_windows
    rows, seen = sum(window.rows for window in here), len({(each.window.start, each.window.end) for each in here})
    if seen < needed or rows < rules.min_rows:
        takes = f"{_count(needed, 'window')} and {_count(rules.min_rows, 'labelled row')}"
        return Verdict(
            "stay", f"{now.words()} stays: {_count(seen, 'window')} and {rows} labelled rows of the {takes} that a step takes; {found}"
        )
    return Verdict("next", f"{now.words()} goes on: no loss alarm ({found})")


def harm_of(windows: Sequence[CanaryWindow], alpha: float) -> Harm:
    """After the last of some windows, at least one."""
    weights = [1 / max(window.error, LEAST_ERROR) ** 2 for window in windows]
    mean = sum(w * window.difference for w, window in zip(weights, windows, strict=True)) / sum(weights)
    look = len(windows)
    z = NormalDist().inv_cdf(1 - alpha / (look * (look + 1)))
    return Harm(mean, mean - z * math.sqrt(1 / sum(weights)))


def _can_be(window: CanaryWindow) -> bool:
    return -1 <= window.difference <= 1 and 0 <= window.error < math.inf and window.rows > 0 and window.champion_rows > 0


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
