"""What a challenger's answers came to beside the champion's. ``contracts.events`` carries it in performance reports."""

from typing import Annotated

import msgspec

_Rows = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Version = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class PairedGain(msgspec.Struct, frozen=True, kw_only=True):
    """The metric of both on the same labelled rows, and by how much the challenger is better: below 0 it is worse. ``lower`` and
    ``upper``: the gain's interval at 90 %, a paired bootstrap over entities where these are the split key, over rows otherwise."""

    challenger: float
    champion: float
    gain: float
    lower: float
    upper: float


class ChallengerReport(msgspec.Struct, frozen=True, kw_only=True):
    """A window's rows that champion and challenger were both asked about.

    ``disagreement``: of the ``compared`` rows, which both have answered, the share that got another answer: another class, or a number
    that is more than the project's ``moved`` standard deviations of the champion's answers off; needs no labels. ``difference``: the mean
    distance of their scores. ``unscored``: rows that the challenger could not answer. ``measured``: null while too few labels are there.
    """

    version: _Version  # the challenger
    champion: _Version  # whose answers are beside its own
    rows: _Rows
    compared: _Rows
    unscored: _Rows
    disagreement: _Share | None
    difference: float | None
    labelled: _Rows
    measured: PairedGain | None

    def __str__(self) -> str:
        """What it is a sign of before any label is there."""
        if self.disagreement is None:
            return f"the challenger, version {self.version}, answered no row that version {self.champion} answered"
        return f"the challenger, version {self.version}, answers {100 * self.disagreement:.1f} % of {self.compared} rows otherwise"
