"""What the guard rails of the gate are measured by. ``contracts.values`` carries them in the measurements of a run."""

from typing import Annotated

import msgspec

_Positive = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class SegmentGain(msgspec.Struct, frozen=True, kw_only=True):
    """By how much the candidate is better on the judging rows of one category of a feature (null: of rows without one), or of all
    ``others`` together; below 0 it is worse. ``error``: the gain's standard error, over resamples of the split keys."""

    feature: str
    value: str | None
    others: bool = False
    rows: _Positive
    gain: float
    error: float

    def __str__(self) -> str:
        if self.others:
            return f"{self.feature} other than the most frequent"
        return f"{self.feature} without a value" if self.value is None else f"{self.feature} {self.value}"


class ScoringCost(msgspec.Struct, frozen=True, kw_only=True):
    """What the version costs beside the champion: milliseconds for the same ``rows`` rows at once with one thread, the least of several
    times by turns, and bytes of the model file. Times are never the same twice: they are no part of what a version is made from."""

    rows: _Positive
    candidate_ms: float
    champion_ms: float
    candidate_bytes: _Positive
    champion_bytes: _Positive
