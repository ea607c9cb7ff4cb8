"""Rows to predictions: one conversion for training and scoring, and a scorer that keeps the stream's types."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sklearn

from driftloop.artifact.unscorable import Found, Scorable, Unscored, search
from driftloop.contracts.schema import StreamSchema
from driftloop.rows.schemas import ARROW_TYPES

Floats = npt.NDArray[np.float64]
# Looking for the rows of a batch that a pipeline cannot score may take so long. After a search that did not come to its end the
# next one gets half of it, so that a stream of such rows does not stand still; after one that did, twice as much.
SEARCH_SECONDS = 2.0
LEAST_SEARCH_SECONDS = 0.1


def to_frame(table: pa.Table | pa.RecordBatch, schema: StreamSchema) -> pd.DataFrame:
    """The features of ``table`` in the schema's order, as every pipeline sees them, in training and in production.

    Numbers, integers and booleans (0 and 1) are float64 and NaN where missing, so that a column's type never depends on
    which rows are in a batch. Categories are pandas categoricals of strings, NaN where missing; their categories are those
    of the batch, so encode them with OrdinalEncoder or OneHotEncoder (``handle_unknown``), which see plain strings.
    """
    columns = {
        feature.name: _categorical(table.column(feature.name)) if feature.type == "category" else _floats(table.column(feature.name))
        for feature in schema.features
    }
    return pd.DataFrame(columns, copy=False)


def target_values(label: pa.ChunkedArray, schema: StreamSchema) -> "npt.NDArray[Any]":
    """Labels as a pipeline is fitted on them: bool, str or float64."""
    if schema.target.type == "number":
        return _floats(label)
    values: npt.NDArray[Any] = label.to_numpy()
    return values.astype(bool) if schema.target.type == "boolean" else values.astype(str)


def _floats(column: pa.ChunkedArray | pa.Array) -> "npt.NDArray[Any]":
    if column.type != pa.float64():
        column = pc.cast(column, pa.float64(), safe=False)
    if isinstance(column, pa.ChunkedArray):
        return column.to_numpy()  # type: ignore[no-any-return]
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _categorical(column: pa.ChunkedArray | pa.Array) -> "pd.Categorical[Any]":
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    categories = pd.Index(encoded.dictionary.to_numpy(zero_copy_only=False), dtype=object)
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories), validate=False)


class Scored(NamedTuple):
    """Prediction in the target's type and score as float64, one each per row, null in the rows that ``unscored`` names."""

    prediction: pa.Array
    score: pa.Array
    unscored: dict[int, Unscored]


class Scorer:
    """A fitted pipeline that answers in the stream's types. Safe to use from several threads."""

    def __init__(self, pipeline: Any, schema: StreamSchema, clock: Callable[[], float] = time.monotonic) -> None:
        self.pipeline = pipeline
        self.schema = schema
        self._clock = clock
        self._scorable = Scorable()
        self._patience = SEARCH_SECONDS

    def score(self, table: pa.Table | pa.RecordBatch) -> tuple[pa.Array, pa.Array]:
        """Prediction and score of each row; both null for a row that the pipeline cannot score. See ``score_rows``."""
        scored = self.score_rows(table)
        return scored.prediction, scored.score

    def score_rows(self, table: pa.Table | pa.RecordBatch, at_most_seconds: float = SEARCH_SECONDS) -> Scored:
        """Prediction in the target's type and score as float64, one each per row.

        The score is P(true) for binary, P(predicted class) for multiclass, the prediction for regression. Both are null for
        a row that the pipeline cannot score (it raises, or the score is not finite); ``unscored`` says why. Such rows cost the others
        nothing, unless finding them takes longer than ``at_most_seconds``: then those not looked at yet are null, too.
        """
        frame = to_frame(table, self.schema)
        found = self._found(frame, at_most_seconds)
        predictions, scores = found.outputs or self._nothing(len(frame))
        unscored = found.unscored
        bad = ~np.isfinite(scores)
        unscored |= {
            int(row): Unscored("not-finite", f"its score is {scores[row]}") for row in np.flatnonzero(bad) if int(row) not in unscored
        }
        bad[list(unscored)] = True
        mask = bad if unscored else None
        prediction = pa.array(predictions, ARROW_TYPES[self.schema.target.type], mask=mask)
        return Scored(prediction, pa.array(scores, pa.float64(), mask=mask), unscored)

    def _found(self, frame: pd.DataFrame, at_most_seconds: float) -> Found:
        if frame.empty:
            return Found(None, {})
        try:
            outputs = self.raw(frame)
        except Exception:  # noqa: BLE001  a stranger's pipeline raises anything
            return self._searched(frame, at_most_seconds)
        self._scorable.saw_batch(frame)
        return Found(outputs, {})

    def _searched(self, frame: pd.DataFrame, at_most_seconds: float) -> Found:
        patience = self._patience
        deadline = self._clock() + min(patience, at_most_seconds)
        found = search(frame, self.raw, self._scorable, lambda: self._clock() > deadline)
        if not any(unscored.reason == "no-time" for unscored in found.unscored.values()):
            self._patience = min(SEARCH_SECONDS, 2 * patience)
        elif patience <= at_most_seconds:
            self._patience = max(LEAST_SEARCH_SECONDS, patience / 2)
        return found

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

    def _nothing(self, n: int) -> "tuple[npt.NDArray[Any], Floats]":
        empty: dict[str, Any] = {"number": np.nan, "boolean": False, "category": ""}
        dtype = {"number": np.float64, "boolean": np.bool_, "category": object}[self.schema.target.type]
        return np.full(n, empty[self.schema.target.type], dtype=dtype), np.full(n, np.nan)
