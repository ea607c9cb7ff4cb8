"""A model version's profile: what its training data looked like, as histograms that later traffic is counted into."""

from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import COLUMN_TYPES
from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import Part
from driftloop.errors import IntegrityError
from driftloop.rows.numbers import as_numbers, input_column

Counts = npt.NDArray[np.int64]

SCORE = "$score"
MAX_CATEGORIES = 200  # kept by name; rarer ones share the last slot with those never seen in training
PROBABILITY_BINS = 20


class Column(Part, frozen=True, kw_only=True):
    """One histogram's layout and the training data's counts in it.

    Ordered columns (numbers, integers, booleans as 0 and 1, times as seconds since 1970 in UTC, the score): ``missing, below,
    one per upper bound, above``. A bin holds what is above the previous upper bound and at most its own; the first also
    holds ``low``, the least training value. Upper bounds are values of the training data, so a column of few distinct
    values has a bin for each of them.

    Categories: ``missing, one per category, other``; ``other`` counts what is none of ``categories``.
    """

    kind: Literal["ordered", "category"]
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
    """Mean score and share of positives per score bin of held-out rows; filled by the calibration to come."""

    scores: tuple[float, ...]
    positives: tuple[float, ...]


class Profile(Part, frozen=True, kw_only=True):
    """The reference of one model version. ``columns`` are what it is given (``Feature.inputs``) and, under ``$score``, its own score."""

    format: Annotated[int, msgspec.Meta(ge=1)] = 1
    stream: str
    schema_fingerprint: str
    rows: int
    columns: dict[str, Column]
    calibration: CalibrationCurve | None = None
    thresholds: dict[str, float] | None = None  # calibrated on training data; null: the project's constants

    def encode(self) -> bytes:
        """Canonical JSON: equal profiles give equal bytes."""
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def decode(cls, data: bytes) -> "Profile":
        """Raises IntegrityError for bytes that are no profile of a known format."""
        try:
            profile = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise IntegrityError(f"not a profile: {exc}") from exc
        if profile.format != 1:
            raise IntegrityError(f"profile format {profile.format} is newer than this program")
        for name, column in profile.columns.items():
            if len(column.counts) != column.size:
                raise IntegrityError(f"profile column {name!r} has {len(column.counts)} counts for {column.size} slots")
        return profile


def build_profile(rows: pa.Table, scores: npt.NDArray[np.float64], schema: StreamSchema, bins: int) -> Profile:
    """The profile of training rows and of the scores that the model gives them."""
    from driftloop.statistics.histograms import Counter  # it counts by this module's layout

    layout: dict[str, Column] = {}
    for feature in schema.features:
        ordered = COLUMN_TYPES[feature.type].ordered
        for name in feature.inputs:
            column = input_column(rows, name)
            layout[name] = _ordered(floats(column), bins) if ordered else Column(kind="category", categories=_categories(column))
    if schema.target.task == "regression":
        layout[SCORE] = _ordered(np.asarray(scores, dtype=np.float64), bins)
    else:
        layout[SCORE] = Column(kind="ordered", low=0.0, uppers=tuple((i + 1) / PROBABILITY_BINS for i in range(PROBABILITY_BINS)))
    scored = rows.select(schema.feature_names).append_column("score", pa.array(scores, pa.float64()))
    bare = Profile(stream=schema.stream, schema_fingerprint=schema.fingerprint(), rows=rows.num_rows, columns=layout)
    counts = Counter(bare).count(scored)
    columns = {name: msgspec.structs.replace(column, counts=tuple(counts[name].tolist())) for name, column in layout.items()}
    return msgspec.structs.replace(bare, columns=columns)


def floats(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.float64]:
    """Values as float64 (``rows.numbers``), missing as NaN."""
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return as_numbers(column).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _ordered(values: npt.NDArray[np.float64], bins: int) -> Column:
    finite = np.sort(values[np.isfinite(values)])
    if not finite.size:
        return Column(kind="ordered")
    distinct = np.unique(finite)
    if distinct.size > bins:
        ranks = np.ceil(finite.size * np.arange(1, bins + 1) / bins).astype(np.int64) - 1
        distinct = np.unique(finite[ranks])
    return Column(kind="ordered", low=float(finite[0]), uppers=tuple(distinct.tolist()))


def _categories(column: pa.ChunkedArray) -> tuple[str, ...]:
    tally = [(-entry["counts"], entry["values"]) for entry in pc.value_counts(column).to_pylist() if entry["values"] is not None]
    return tuple(name for _, name in sorted(tally)[:MAX_CATEGORIES])
