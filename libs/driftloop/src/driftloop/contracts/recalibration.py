"""A correction of a version's answers between promotions, and what a training run says for it."""

from typing import Literal

import msgspec

from driftloop.contracts.values import Part, RowCount, Window

# The column beside a row's prediction: the epoch of the recalibration that corrected the answer; null: none did. Streams with a feature
# of that name do not have it: ``StreamSchema.has_recalibration_epoch``. Why so: ADR 0020.
RECALIBRATION_EPOCH = "recalibration_epoch"


class Recalibration(Part, frozen=True, kw_only=True):
    """What is done to a model's answers until the next promotion: never a new model, a few numbers between it and the answer.

    ``shift``: added to a regression's predictions, in the target's unit. ``classes`` and ``weights``: the probabilities of several
    classes are multiplied by these (above 0) and divided by their sum again; a class that is not named keeps weight 1.
    ``intercept`` and ``slope`` (above 0): of a binary score's logit. What does not belong to ``kind`` is absent. ``strength``: the
    share of the full correction that they hold, 0.5 or 1.
    """

    kind: Literal["shift", "priors", "logit"]
    strength: float
    shift: float | msgspec.UnsetType = msgspec.UNSET
    classes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    weights: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET
    intercept: float | msgspec.UnsetType = msgspec.UNSET
    slope: float | msgspec.UnsetType = msgspec.UNSET


class StrengthLoss(Part, frozen=True, kw_only=True):
    """What corrections of each strength would have lost on one window, had they been estimated on the run's window before it.

    Mean losses by row, comparable between strengths only: squared errors of a regression, else −log of P(the label's class).
    """

    window: Window
    none: float
    half: float
    full: float
    rows: RowCount


class RecalibrationProposal(Part, frozen=True, kw_only=True):
    """What a run found out about correcting a version's answers: estimated on ``rows`` labelled rows of ``window`` that the version
    was not fitted on. The verdict is the registry fold's.

    ``of``: whose answers, the champion's that stays or the run's own version's once it is promoted. ``recalibration``: null says that
    none is best, which also ends one that is in force. ``full``: the whole correction, from which the next run goes on. ``losses``:
    by window, oldest first, the newest few; they chose the strength. ``gain``: by how much the project's metric was better on
    ``judged_rows`` rows of ``judged_window`` with the correction that the run before would have made, at that strength, than with
    none; below 0 nothing is proposed. ``gain_lower``: its lower bound, as of a promotion. Null where there was no run before, where the
    metric is not defined, and where none is the best strength.
    """

    of: Literal["champion", "candidate"]
    recalibration: Recalibration | None
    full: Recalibration
    window: Window
    rows: RowCount
    metric: str
    losses: tuple[StrengthLoss, ...] = ()
    gain: float | None = None
    gain_lower: float | None = None
    judged_window: Window | None = None
    judged_rows: RowCount = 0
