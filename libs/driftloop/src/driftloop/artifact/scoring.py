"""Rows to predictions: one conversion for training and scoring, and a scorer that keeps the stream's types."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, assert_never

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import sklearn

from driftloop.artifact.composition import needs_event_time
from driftloop.artifact.event_time import event_days, with_event_time
from driftloop.artifact.unscorable import Found, Outputs, Scorable, Unscored, search
from driftloop.contracts.column_types import TargetType
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.schema import Feature, StreamSchema
from driftloop.rows import probabilities
from driftloop.rows.numbers import as_numbers, input_column
from driftloop.rows.schemas import ARROW_TYPES
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.recalibration import apply

Floats = npt.NDArray[np.float64]
_NAT = np.iinfo(np.int64).min  # how numpy and pandas write a missing time
# Looking for the rows of a batch that a pipeline cannot score may take so long. After a search that did not come to its end the
# next one gets half of it, so that a stream of such rows does not stand still; after one that did, twice as much.
SEARCH_SECONDS = 2.0
LEAST_SEARCH_SECONDS = 0.1


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


class Scored(NamedTuple):
    """A model's answers as columns. ``probabilities``: of a target of several classes, as ``rows.probabilities`` writes them."""

    prediction: pa.Array
    score: pa.Array
    probabilities: pa.Array | None


class ScoredRows(NamedTuple):
    """The same, null in the rows that ``unscored`` names."""

    answer: Scored
    unscored: dict[int, Unscored]


class Scorer:
    """A fitted pipeline that answers in the stream's types. Safe to use from several threads."""

    def __init__(self, pipeline: Any, schema: StreamSchema, clock: Callable[[], float] = time.monotonic) -> None:
        self.pipeline = pipeline
        self.schema = schema
        self._clock = clock
        self._scorable = Scorable()
        self._patience = SEARCH_SECONDS

    def score(self, table: pa.Table | pa.RecordBatch) -> Scored:
        """The answer for each row; all null for a row that the pipeline cannot score. See ``score_rows``."""
        return self.score_rows(table).answer

    def score_rows(
        self, table: pa.Table | pa.RecordBatch, at_most_seconds: float = SEARCH_SECONDS, recalibration: Recalibration | None = None
    ) -> ScoredRows:
        """Prediction in the target's type and score as float64, one each per row; of several classes their probabilities, too.

        The score is P(true) for binary, P(predicted class) for multiclass, the prediction for regression. All are null for
        a row that the pipeline cannot score (it raises, or the score is not finite); ``unscored`` says why. Such rows cost the others
        nothing, unless finding them takes longer than ``at_most_seconds``: then those not looked at yet are null, too.

        ``recalibration``: what corrects the pipeline's answers, all of them; None: nothing does.
        """
        frame = to_frame(table, self.schema)
        if self.needs_event_time:
            frame = with_event_time(frame, event_days(table))
        found = self._found(frame, at_most_seconds)
        output = apply(recalibration, self._output(found.outputs or self._nothing(len(frame))))
        unscored = found.unscored
        bad = ~np.isfinite(output.scores)
        unscored |= {
            int(row): Unscored("not-finite", f"its score is {output.scores[row]}")
            for row in np.flatnonzero(bad)
            if int(row) not in unscored
        }
        bad[list(unscored)] = True
        mask = bad if unscored else None
        answer = Scored(
            pa.array(output.predictions, ARROW_TYPES[self.schema.target.type], mask=mask),
            pa.array(output.scores, pa.float64(), mask=mask),
            None if output.probabilities is None else probabilities.encode(_without(output.probabilities, bad), output.classes),
        )
        return ScoredRows(answer, unscored)

    def _found(self, frame: pd.DataFrame, at_most_seconds: float) -> Found:
        if frame.empty:
            return Found(None, {})
        try:
            outputs = self._raw(frame)
        except Exception:  # noqa: BLE001  a stranger's pipeline raises anything
            return self._searched(frame, at_most_seconds)
        self._scorable.saw_batch(frame)
        return Found(outputs, {})

    def _searched(self, frame: pd.DataFrame, at_most_seconds: float) -> Found:
        patience = self._patience
        deadline = self._clock() + min(patience, at_most_seconds)
        found = search(frame, self._raw, self._scorable, lambda: self._clock() > deadline)
        if not any(unscored.reason == "no-time" for unscored in found.unscored.values()):
            self._patience = min(SEARCH_SECONDS, 2 * patience)
        elif patience <= at_most_seconds:
            self._patience = max(LEAST_SEARCH_SECONDS, patience / 2)
        return found

    @cached_property
    def needs_event_time(self) -> bool:
        """Whether ``raw`` takes frames ``with_event_time``."""
        return needs_event_time(self.pipeline)

    @property
    def unrecordable(self) -> str | None:
        """Why the probabilities of the model's classes are not recorded; None when they are, or there are none."""
        return probabilities.unrecordable(self._classes) if self.schema.target.task == "multiclass" else None

    def raw(self, frame: pd.DataFrame) -> ModelOutput:
        """What the pipeline says about the rows; raises what the pipeline raises. Classes are in the order of their names."""
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            if self.schema.target.task == "regression":
                values = np.asarray(self.pipeline.predict(frame), dtype=np.float64)
                return ModelOutput(values, values)
            found = np.asarray(self.pipeline.predict_proba(frame), dtype=np.float64)
        classes = self.pipeline.classes_
        if self.schema.target.task == "binary":
            scores = found[:, int(np.flatnonzero(classes == True)[0])]  # noqa: E712  classes are numpy booleans
            return ModelOutput(scores >= 0.5, scores)
        best = found.argmax(axis=1)
        return ModelOutput(
            predictions=np.asarray(classes)[best].astype(object),
            scores=found[np.arange(len(best)), best],
            probabilities=found[:, self._columns],
            classes=self._classes,
        )

    def answers(self, frame: pd.DataFrame) -> "tuple[ModelOutput, npt.NDArray[np.bool_]]":
        """``raw``, and which of the rows the pipeline has an answer for, however long it takes to find out; of the others the output
        holds something. Raises what the pipeline raises where it has an answer for no row."""
        try:
            output, answered = self.raw(frame), np.ones(len(frame), dtype=bool)
        except Exception:
            found = search(frame, self._raw, self._scorable, lambda: False)
            if found.outputs is None:
                raise
            output, answered = self._output(found.outputs), np.ones(len(frame), dtype=bool)
            answered[list(found.unscored)] = False
        return output, answered & np.isfinite(output.scores)

    @cached_property
    def _columns(self) -> list[int]:
        """Of the pipeline's probabilities, in the order of the classes' names."""
        names = [str(name) for name in getattr(self.pipeline, "classes_", ())]
        return sorted(range(len(names)), key=names.__getitem__)

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        return tuple(str(self.pipeline.classes_[i]) for i in self._columns)

    def _raw(self, frame: pd.DataFrame) -> Outputs:
        output = self.raw(frame)
        arrays = (output.predictions, np.asarray(output.scores))
        return arrays if output.probabilities is None else (*arrays, output.probabilities)

    def _output(self, arrays: Outputs) -> ModelOutput:
        """Of what ``_raw`` makes of it."""
        predictions, scores, *more = arrays
        return ModelOutput(predictions, scores, more[0], self._classes) if more else ModelOutput(predictions, scores)

    def _nothing(self, n: int) -> Outputs:
        arrays = (_no_predictions(self.schema.target.type, n), np.full(n, np.nan))
        return (*arrays, np.full((n, len(self._classes)), np.nan)) if self.schema.target.task == "multiclass" else arrays


def _without(found: Floats, bad: "npt.NDArray[np.bool_]") -> Floats:
    """Of rows without an answer there are no probabilities either; a search leaves those of another row there."""
    return np.where(bad[:, None], np.nan, found) if bad.any() else found
