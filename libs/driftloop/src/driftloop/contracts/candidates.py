"""What a run found of each recipe that it tried."""

import msgspec

from driftloop.contracts.values import Part


class WithinWindow(Part, frozen=True, kw_only=True):
    """A recipe that was also fitted on half of the evaluation window's split keys: ``metric`` is what it scored on a quarter of others,
    ``beside`` what the one that was chosen among those fitted before the window scored on the same rows; null: not defined. ``error``:
    why it could not be fitted so.

    ``aged``: by how much better it scored than the same recipe fitted on the window before, on the same rows: of this run and of earlier
    ones, oldest first.
    """

    metric: float | None
    beside: float | None
    aged: tuple[float, ...] = ()
    error: str | msgspec.UnsetType = msgspec.UNSET


class CandidateResult(Part, frozen=True, kw_only=True):
    """One recipe that was tried: which data it was fitted on and what it scored on the evaluation window."""

    recipe: str  # as `project.recipes` writes it: all, last:5, mean:[all, decay:4]
    rows: int
    metric: float | None
    seconds: float
    error: str | None = None
    within: WithinWindow | msgspec.UnsetType = msgspec.UNSET
