"""Whether a loss has risen above its reference, asked after every window: an e-process over window means. Pure; plain Python.

Let x_t in [0, 1] be the mean loss of window t, and r the reference. Under the null hypothesis E[x_t | windows before t] <= r the wealth

    E_t = E_{t-1} · (1 + λ_t (u_t − s)),    u_t = clip((x_t − r) / c_t, −1, 1),    E_0 = 1

of a gambler who bets that the loss has risen is a nonnegative supermartingale, as long as stake λ_t in [0, 1 / (1 + s)) and scale
c_t depend on windows before t alone. By Ville's inequality P(E_t >= 1/α for any t) <= α: the alarm may be looked at after every
window, for ever, and acted on whenever one likes. Windows are the units, so nothing is asked of the rows in one: they may be as
dependent as they like.

Betting on bounded means: Waudby-Smith and Ramdas 2010.09686; for deployed models: Podkopaev and Ramdas 2110.06177; stakes that forget,
so that a change late in a calm life is found too: after Shekhar and Ramdas 2309.09111. The stake is aGRAPA, mean / (variance + mean²)
of the u before, cut to [0, MAX_STAKE]; E_t is the mean over stakes that forget at different speeds (MEMORIES, in windows) and of a
gambler who waits for the loss to be many times its reference. A mean of e-processes is one again.

What the scale costs. A window's mean moves far less than the whole of [0, 1], and bets on that range would take hundreds of windows. So
c_t = SPREADS · σ_t, with σ_t a window mean's standard deviation by what was seen before t. Clipping from below raises a mean, by at most
σ²/(4 c_t) for a standard deviation of σ, which is what the slack s = 1/(4 · SPREADS²) takes off again: the guarantee is exact
where a window mean's standard deviation is at most σ_t; also, whatever σ_t is, where its distribution is symmetric about its
mean; and without any condition where c_t has come to the whole range. The tests hold it to α far outside of these conditions, too.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

SPREADS = 2.0  # standard deviations of a window's mean that a bet is about
MAX_STAKE = 0.9  # below 1 / (1 + s): so that no window can cost more than there is
MEMORIES = (2.0, 6.0)  # windows
LEAST_REFERENCE = 0.001  # below: that no loss is ever seen is no hypothesis worth holding
PLUNGE_SHARE = 0.2  # of the wealth at the start
MOST_EVIDENCE = 1e12  # enough for anybody; more would leave the numbers that events can carry
FIRST_WINDOWS = 3  # that stand in for a reference where none was measured at training
SURE = 1.645  # standard errors of a reference that is measured itself: one-sided 95 %

_PRIOR_WINDOWS, _PRIOR_VARIANCE = 1.0, 1 / SPREADS**2  # what a stake believes before the first window: nothing has risen
_LEAST_VARIANCE = 0.01
_WIDEST = 1.0  # scale on which nothing is clipped: losses lie within [0, 1]
_NORMAL = 0.6745 * math.sqrt(2)  # median of |difference of two| for standard deviation 1


class LossWindow(NamedTuple):
    """Mean of a loss in [0, 1] over the ``rows`` of one window."""

    mean: float
    rows: int


class Reference(NamedTuple):
    """What the mean loss is held against: ``bound``, which is ``mean`` and what it may be wrong by."""

    mean: float
    bound: float


class Evidence(NamedTuple):
    """Against "the loss is not above its reference".

    ``e``: E_t after the last window; ``highest`` of all E so far. ``rising``: the windows seen last lie above the reference on average.
    """

    e: float
    highest: float
    windows: int
    rising: bool

    def alarmed(self, alpha: float) -> bool:
        """The evidence has come to 1/alpha, and the loss has not come down since. Of a version whose loss never rises, at most the
        share alpha is ever alarmed, however often one asks."""
        return self.rising and self.highest >= 1 / alpha


NOTHING = Evidence(1.0, 1.0, 0, False)


class _Stake:
    """One gambler: weighted sums of what was seen, with a half-forgotten past."""

    def __init__(self, memory: float) -> None:
        self._kept = 1 - 1 / memory
        self._weight = self._sum = self._squares = 0.0
        self.wealth = 1.0

    @property
    def mean(self) -> float:
        return self._sum / (self._weight + _PRIOR_WINDOWS)

    def bet(self, u: float) -> None:
        """The stake is laid before ``u`` is looked at."""
        mean = self.mean
        variance = (self._squares + _PRIOR_WINDOWS * _PRIOR_VARIANCE) / (self._weight + _PRIOR_WINDOWS) - mean**2
        stake = min(MAX_STAKE, max(0.0, mean / (max(variance, _LEAST_VARIANCE) + mean**2)))
        self.wealth = min(self.wealth * (1 + stake * u), MOST_EVIDENCE)
        self._weight = self._weight * self._kept + 1
        self._sum = self._sum * self._kept + u
        self._squares = self._squares * self._kept + u**2


class _Plunge:
    """A gambler who waits for a loss many times its reference, at which the others, whose wealth can at most double, take half a dozen
    windows. On the whole range, without a scale and so without any condition: the factor 1 + κ (x / r − 1) has the mean 1 at most under
    the null hypothesis. It begins anew before every window with the share 1 / (t (t + 1)) of the stake, so that calm years cost it
    nothing: what has not been laid yet stays as it is (a mixture over when the change came).
    """

    KAPPA = 0.5

    def __init__(self, bound: float) -> None:
        self._bound, self._laid, self._left, self._windows = bound, 0.0, 1.0, 0

    @property
    def wealth(self) -> float:
        return self._laid + self._left

    def bet(self, mean: float) -> None:
        self._windows += 1
        share = 1 / (self._windows * (self._windows + 1))
        self._left -= share
        self._laid = min((self._laid + share) * (1 + self.KAPPA * (mean / self._bound - 1)), MOST_EVIDENCE)


def loss_has_risen(windows: Iterable[LossWindow], reference: float, row_deviation: float | None = None) -> Evidence:
    """Of windows in order of time; those without rows say nothing. ``reference`` in [0, 1]: the highest mean that is still fine.
    ``row_deviation``: standard deviation of a row's loss, if it is known beforehand; else the largest that such a loss can have.

    A fold: labels that come late change a window's mean, and the same fold over the means as they are now is the answer then.
    """
    bound = max(reference, LEAST_REFERENCE)
    return _evidence([w for w in windows if w.rows > 0], bound, row_variance=_variance(bound, row_deviation), plunge=_Plunge(bound))


def reference_of(held_out: LossWindow, tolerance: float = 0.0, row_deviation: float | None = None) -> Reference:
    """From the loss of held-out rows at training. The bound lies SURE standard errors above the mean, and ``tolerance`` more; so it holds
    but for 5 % of trainings. ``row_deviation`` as in ``loss_has_risen``."""
    error = math.sqrt(_variance(held_out.mean, row_deviation) / max(held_out.rows, 1))
    return Reference(held_out.mean, min(1.0, held_out.mean + SURE * error + tolerance))


def first_windows_reference(windows: Sequence[LossWindow], tolerance: float = 0.0) -> tuple[Reference, Sequence[LossWindow]] | None:
    """Where nothing was measured at training: the mean of the first FIRST_WINDOWS windows, and the windows after them, which may be
    held against it. None while there are not so many. The error is judged by how much the windows differ."""
    with_rows = [w for w in windows if w.rows > 0]
    if len(with_rows) < FIRST_WINDOWS:
        return None
    first, later = with_rows[:FIRST_WINDOWS], with_rows[FIRST_WINDOWS:]
    mean = sum(w.mean for w in first) / FIRST_WINDOWS
    between = sum((w.mean - mean) ** 2 for w in first) / (FIRST_WINDOWS - 1)
    within = max(mean * (1 - mean), 0.0) * sum(1 / w.rows for w in first) / FIRST_WINDOWS
    error = math.sqrt(max(between, within) / FIRST_WINDOWS)
    return Reference(mean, min(1.0, mean + SURE * error + tolerance)), later


def _variance(mean: float, row_deviation: float | None) -> float:
    return max(mean * (1 - mean), 0.0) if row_deviation is None else row_deviation**2


def _evidence(windows: Sequence[LossWindow], bound: float, *, row_variance: float, plunge: _Plunge) -> Evidence:
    stakes = [_Stake(memory) for memory in MEMORIES]
    slack = 1 / (4 * SPREADS**2)
    differences: list[float] = []
    e = highest = 1.0
    for n, window in enumerate(windows):
        # By windows before this one alone. Of differences of neighbours the median: a rise, however high, widens it once.
        seen = differences[len(differences) // 2] / _NORMAL if len(differences) > 1 else 0.0
        scale = min(_WIDEST, SPREADS * max(math.sqrt(row_variance / window.rows), seen)) or _WIDEST
        u = max(-1.0, min(1.0, (window.mean - bound) / scale)) - slack
        for stake in stakes:
            stake.bet(u)
        plunge.bet(window.mean)
        staked = sum(stake.wealth for stake in stakes) / len(stakes)
        e = min((1 - PLUNGE_SHARE) * staked + PLUNGE_SHARE * plunge.wealth, MOST_EVIDENCE)
        highest = max(highest, e)
        if n:
            insort(differences, abs(window.mean - windows[n - 1].mean))
    return Evidence(e, highest, len(windows), bool(windows) and stakes[0].mean > 0)
