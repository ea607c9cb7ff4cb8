"""A model version's profile: what its training data looked like, as histograms that later traffic is counted into."""

from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Loss, Part, Window
from driftloop.errors import IntegrityError
from driftloop.statistics.drift_thresholds import DriftThresholds

Counts = npt.NDArray[np.int64]
Kind = Literal["ordered", "category"]

SCORE = "$score"


class Column(Part, frozen=True, kw_only=True):
    """One histogram's layout and the training data's counts in it.

    Ordered columns (numbers, integers, booleans as 0 and 1, times as seconds since 1970 in UTC, the score): ``missing, below,
    one per upper bound, above``. A bin holds what is above the previous upper bound and at most its own; the first also
    holds ``low``, the least training value. Upper bounds are values of the training data, so a column of few distinct
    values has a bin for each of them.

    Categories: ``missing, one per category, other``; ``other`` counts what is none of ``categories``.
    """

    kind: Kind
    low: float = 0.0
    uppers: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Length of the histogram."""
        return len(self.uppers) + 3 if self.kind == "ordered" else len(self.categories) + 2

    @property
    def reference(self) -> Counts:
        return np.asarray(self.counts, dtype=np.int64)


class CalibrationCurve(Part, frozen=True, kw_only=True):
    """Mean score, share of positives and rows per score bin of held-out rows, by rising score. Of several classes a positive is
    a row whose predicted class is the right one, as the score is the probability of that. ``rows`` is empty in profiles of before."""

    scores: tuple[float, ...]
    positives: tuple[float, ...]
    rows: tuple[int, ...] = ()


class HeldOutLoss(Part, frozen=True, kw_only=True):
    """What the model loses on rows that it was not fitted on, a row at a time.

    ``squared`` (binary): (P(true) − label)², a row's part of the Brier score, in [0, 1]; ``wrong`` (several classes): 1 where the
    predicted class is not the right one, else 0; ``absolute`` (regression): |prediction − label|, in the target's unit.
    ``high``: 99 of 100 rows lose at most that.
    """

    loss: Loss
    rows: int
    mean: float
    deviation: float
    high: float


class Profile(Part, frozen=True, kw_only=True):
    """The reference of one model version. ``columns`` are what it is given (``Feature.inputs``), and under ``$score`` its own score.

    ``rows``: training rows that the columns were counted from; the score is counted from ``score_rows`` rows that were held out
    (absent: from the training rows, in profiles of before; a model scores those as no others). ``importance``: by column, what the
    project's metric loses on held-out rows when the column's values change places among them; below 0: nothing but chance.
    ``season``: columns and score are counted from the rows of that stretch alone.
    """

    format: Annotated[int, msgspec.Meta(ge=1)] = 1
    stream: str
    schema_fingerprint: str
    rows: int
    columns: dict[str, Column]
    calibration: CalibrationCurve | None = None
    thresholds: dict[str, float] | None = None  # constants of this version's own, beside the project's
    # Absent where they are not known, as in profiles of before, whose bytes stay what they are.
    score_rows: int | msgspec.UnsetType = msgspec.UNSET
    drift: DriftThresholds | msgspec.UnsetType = msgspec.UNSET  # a project that states constants has none
    held_out_loss: HeldOutLoss | msgspec.UnsetType = msgspec.UNSET  # too few rows were held out
    importance: dict[str, float] | msgspec.UnsetType = msgspec.UNSET  # the metric is not defined on the held-out rows
    season: Window | msgspec.UnsetType = msgspec.UNSET  # counted from all training rows

    @classmethod
    def lost(cls) -> "Profile":
        """In the place of a profile whose bytes are gone: rows are counted, and not compared with anything."""
        return cls(stream="", schema_fingerprint="", rows=0, columns={})

    def encode(self) -> bytes:
        """Canonical JSON: equal profiles give equal bytes."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def decode(cls, data: bytes) -> "Profile":
        """Raises IntegrityError for bytes that are no profile of a known format."""
        try:
            profile = msgspec.json.decode(data, type=prepared(cls))
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise IntegrityError(f"not a profile: {exc}") from exc
        if profile.format != 1:
            raise IntegrityError(f"profile format {profile.format} is newer than this program")
        for name, column in profile.columns.items():
            if len(column.counts) != column.size:
                raise IntegrityError(f"profile column {name!r} has {len(column.counts)} counts for {column.size} slots")
        if profile.drift is not msgspec.UNSET and (problem := profile.drift.problem()) is not None:
            raise IntegrityError(f"profile's drift thresholds: {problem}")
        return profile
