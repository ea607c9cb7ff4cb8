"""Rows to predictions: one conversion for training and scoring, and a scorer that keeps the stream's types."""

from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import sklearn

from driftloop.contracts.column_types import TargetType
from driftloop.contracts.schema import Feature, StreamSchema
from driftloop.rows.numbers import as_numbers, input_column
from driftloop.rows.schemas import ARROW_TYPES

Floats = npt.NDArray[np.float64]
_NAT = np.iinfo(np.int64).min  # how numpy and pandas write a missing time
MAX_FAILED_CALLS = 64  # of one batch, while looking for the rows that a pipeline cannot score


def to_frame(table: pa.Table | pa.RecordBatch, schema: StreamSchema) -> pd.DataFrame:
    """The features of ``table`` in the schema's order, as every pipeline sees them, in training and in production.

    Numbers, integers and booleans (0 and 1) are float64 and NaN where missing, so that a column's type never depends on
    which rows are in a batch. Of a time each declared part is a float64 column, ``departure.hour``, in UTC; a time without
    parts is datetime64[us, UTC], NaT where missing, for a transformer of the pipeline's own. Categories are pandas
    categoricals of strings, NaN where missing; their categories are those of the batch, so encode them with OrdinalEncoder
    or OneHotEncoder (``handle_unknown``), which see plain strings.
    """
    inputs = ((name, feature) for feature in schema.features for name in feature.inputs)
    return pd.DataFrame({name: _values(feature, input_column(table, name)) for name, feature in inputs}, copy=False)


def _values(feature: Feature, column: pa.ChunkedArray | pa.Array) -> Any:
    match feature.type:
        case "number" | "integer" | "boolean":
            return _floats(column)
        case "category":
            return _categorical(column)
        case "datetime":
            return _floats(column) if feature.parts else _times(column)
        case _:
            assert_never(feature.type)


def whole_times(schema: StreamSchema) -> list[str]:
    """Features that reach a pipeline as datetime64, which most estimators do not take."""
    return [feature.name for feature in schema.features if feature.type == "datetime" and not feature.parts]


def constant(feature: Feature, n: int) -> Any:
    """What stands for a feature that no row has, when a model is fitted."""
    match feature.type:
        case "number" | "integer" | "boolean":
            return np.zeros(n)
        case "category":
            return pd.Categorical([""] * n)
        case "datetime":
            return np.zeros(n) if feature.parts else _utc(np.zeros(n, np.int64))
        case _:
            assert_never(feature.type)


def target_values(label: pa.ChunkedArray, schema: StreamSchema) -> "npt.NDArray[Any]":
    """Labels as a pipeline is fitted on them: bool, str or float64."""
    kind = schema.target.type
    match kind:
        case "number":
            return _floats(label)
        case "boolean":
            return label.to_numpy().astype(bool)  # type: ignore[no-any-return]
        case "category":
            return label.to_numpy().astype(str)  # type: ignore[no-any-return]
        case _:
            assert_never(kind)


def _no_predictions(kind: TargetType, n: int) -> "npt.NDArray[Any]":
    """Stand-ins, to be masked."""
    match kind:
        case "number":
            return np.full(n, np.nan)
        case "boolean":
            return np.full(n, False)
        case "category":
            return np.full(n, "", dtype=object)
        case _:
            assert_never(kind)


def _floats(column: pa.ChunkedArray | pa.Array) -> "npt.NDArray[Any]":
    numbers = as_numbers(column)
    if isinstance(numbers, pa.ChunkedArray):
        return numbers.to_numpy()  # type: ignore[no-any-return]
    return numbers.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _times(column: pa.ChunkedArray | pa.Array) -> "pd.arrays.DatetimeArray":
    micros = column.cast(pa.int64()).fill_null(_NAT)
    return _utc(micros.to_numpy() if isinstance(micros, pa.ChunkedArray) else micros.to_numpy(zero_copy_only=False))


def _utc(micros: "npt.NDArray[np.int64]") -> "pd.arrays.DatetimeArray":
    return pd.DatetimeIndex(micros.view("datetime64[us]"), tz="UTC").array


def _categorical(column: pa.ChunkedArray | pa.Array) -> "pd.Categorical[Any]":
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    categories = pd.Index(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object)
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories), validate=False)


class Scorer:
    """A fitted pipeline that answers in the stream's types. Safe to use from several threads."""

    def __init__(self, pipeline: Any, schema: StreamSchema) -> None:
        self.pipeline = pipeline
        self.schema = schema

    def score(self, table: pa.Table | pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
        """Prediction in the target's type and score as float64, one each per row.

        The score is P(true) for binary, P(predicted class) for multiclass, the prediction for regression. Both are null for
        a row that the pipeline cannot score (it raises, or the score is not finite); such rows do not hinder others.
        """
        frame = to_frame(table, self.schema)
        predictions, scores = self._score(frame, [MAX_FAILED_CALLS])
        bad = ~np.isfinite(scores)
        mask = bad if bad.any() else None
        return pa.array(predictions, ARROW_TYPES[self.schema.target.type], mask=mask), pa.array(scores, pa.float64(), mask=mask)

    def raw(self, frame: pd.DataFrame) -> "tuple[npt.NDArray[Any], Floats]":
        """Prediction and score as numpy arrays; raises what the pipeline raises."""
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            if self.schema.target.task == "regression":
                values = np.asarray(self.pipeline.predict(frame), dtype=np.float64)
                return values, values
            probabilities = np.asarray(self.pipeline.predict_proba(frame), dtype=np.float64)
        classes = self.pipeline.classes_
        if self.schema.target.task == "binary":
            scores = probabilities[:, int(np.flatnonzero(classes == True)[0])]  # noqa: E712  classes are numpy booleans
            return scores >= 0.5, scores
        best = probabilities.argmax(axis=1)
        return np.asarray(classes)[best].astype(object), probabilities[np.arange(len(best)), best]

    def _score(self, frame: pd.DataFrame, failures_left: list[int]) -> "tuple[npt.NDArray[Any], Floats]":
        if frame.empty:
            return self._nothing(0)
        if failures_left[0] <= 0:
            return self._nothing(len(frame))
        try:
            return self.raw(frame)
        except Exception:  # noqa: BLE001  a stranger's pipeline raises anything: halve until the rows at fault are alone
            failures_left[0] -= 1
        if len(frame) == 1:
            return self._nothing(1)
        middle = len(frame) // 2
        halves = [self._score(part, failures_left) for part in (frame.iloc[:middle], frame.iloc[middle:])]
        return np.concatenate([h[0] for h in halves]), np.concatenate([h[1] for h in halves])

    def _nothing(self, n: int) -> "tuple[npt.NDArray[Any], Floats]":
        return _no_predictions(self.schema.target.type, n), np.full(n, np.nan)
