"""One fit: the same rows, seed and threads give the same model."""

import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from threadpoolctl import threadpool_limits

from driftloop.artifact.event_time import event_days, with_event_time
from driftloop.artifact.scoring import Scorer, constant, target_values, to_frame, whole_times
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import UserError
from driftloop.lake.split import BUCKETS, HASH, HELD_OUT_FROM, buckets, held_out, split_keys
from driftloop.project.model import Project
from driftloop.project.recipes import Member
from driftloop.statistics.metrics import ModelOutput
from driftloop.training.job import FittedOn
from driftloop.training.recipes import Floats, Micros, micros
from driftloop.training.sample_weights import weights_parameter

MIN_ROWS = 20
PLAIN = Member()  # all rows alike, without the event time

Mask = npt.NDArray[np.bool_]


class TrainingRows:
    """A snapshot's labelled rows, converted once; recipes and windows are masks over them."""

    def __init__(self, table: pa.Table, project: Project) -> None:
        self.table = table
        self.schema = project.schema
        self.frame: pd.DataFrame = to_frame(table, project.schema)
        self.labels: npt.NDArray[Any] = target_values(table.column("label"), project.schema)
        keys = split_keys(table, project.split_key)
        bucket = buckets(keys, project.split_salt)
        self.held_out: Mask = held_out(bucket)
        # of the split keys, by their hash; as many of the held-out ones as of the others
        self.quarter: npt.NDArray[np.integer[Any]] = bucket % 4
        self.keys = _numbers_of(keys)
        self.times: Micros = table.column("event_time").cast(pa.int64()).to_numpy()
        self.days: Floats = event_days(table)

    def between(self, start: datetime | None, end: datetime) -> Mask:
        """Rows with event time in ``[start, end)``."""
        mask: Mask = self.times < micros(end)
        return mask if start is None else mask & (self.times >= micros(start))

    def fitted(self, mask: Mask) -> int:
        """How many of the masked rows are fitted on."""
        return int((mask & ~self.held_out).sum())

    def seen_by(self, model: FittedOn) -> Mask:
        """Rows that a version may have been fitted on: all of its times where the rows have no such split any more."""
        times = self.between(model.training_start, model.training_end)
        split = model.split
        published = (split.hash, split.buckets, split.held_out_from) == (HASH, BUCKETS, HELD_OUT_FROM)
        if not published or split.key not in self.table.column_names:
            return times
        return times & ~held_out(buckets(split_keys(self.table, split.key), split.salt))

    def output(self, pipeline: Any, mask: Mask, schema: StreamSchema | None = None) -> ModelOutput:
        """What the pipeline says about the masked rows; raises what the pipeline raises. ``schema``: that of a pipeline which was
        fitted under an earlier one, and is given what it knows."""
        return self.scoring(pipeline, mask, schema)()

    def held_out_output(self, pipeline: Any, mask: Mask) -> ModelOutput:
        """What the pipeline says about those of the masked rows that are held out. Where none is, one row is scored and left out again:
        estimators raise for no rows at all."""
        wanted = mask & self.held_out
        if wanted.any():
            return self.output(pipeline, wanted)
        one = np.zeros_like(mask)
        one[np.flatnonzero(mask)[:1]] = True
        return self.output(pipeline, one).where(np.zeros(1, dtype=bool))

    def answers(self, pipeline: Any, mask: Mask, schema: StreamSchema | None = None) -> tuple[ModelOutput, Mask]:
        """``output``, and which of the masked rows the pipeline has an answer for (``Scorer.answers``)."""
        scorer, given = self._given(pipeline, mask, schema)
        return scorer.answers(given)

    def scoring(self, pipeline: Any, mask: Mask, schema: StreamSchema | None = None) -> Callable[[], ModelOutput]:
        """``output``, with the rows converted beforehand: a call of it is what scoring alone takes."""
        scorer, given = self._given(pipeline, mask, schema)
        return lambda: scorer.raw(given)

    def _given(self, pipeline: Any, mask: Mask, schema: StreamSchema | None) -> tuple[Scorer, pd.DataFrame]:
        frame = (self.frame if schema is None else to_frame(self.table, schema))[mask]
        scorer = Scorer(pipeline, self.schema)
        return scorer, with_event_time(frame, self.days[mask]) if scorer.needs_event_time else frame


def fit(
    build: Callable[[], Any],
    rows: TrainingRows,
    mask: Mask,
    *,
    seed: int,
    threads: int,
    how: Member = PLAIN,
    weights: Floats | None = None,
) -> Any:
    """A new pipeline fitted on the masked rows that are not held out; with the event time if ``how`` says so.

    ``weights``: of all rows, (n,), for a fit that weighs them. Raises UserError when there is nothing to learn from or the
    pipeline takes no weights, and whatever the user's code raises.
    """
    fitted_on = mask & ~rows.held_out
    labels = rows.labels[fitted_on]
    if len(labels) < MIN_ROWS:
        raise UserError(f"{len(labels)} labelled rows to fit on, fewer than {MIN_ROWS}")
    if rows.schema.target.task != "regression" and len(np.unique(labels)) < 2:
        raise UserError(f"all {len(labels)} labels are {labels[0]!s}: one class cannot be learned")
    random.seed(seed)
    np.random.seed(seed)  # the legacy state is what a pipeline without random_state draws from
    pipeline = build()
    for method in ("fit", "predict", "get_params"):
        if not hasattr(pipeline, method):
            raise UserError(f"build() returned a {type(pipeline).__name__}, not a scikit-learn pipeline")
    unseeded = {name: seed for name, value in pipeline.get_params().items() if name.endswith("random_state") and value is None}
    pipeline.set_params(**unseeded)
    frame = without_empty(rows.frame[fitted_on], rows.schema)
    if how.time:
        frame = with_event_time(frame, rows.days[fitted_on])
    weighing = {} if weights is None else {weights_parameter(pipeline, how): weights[fitted_on]}
    with threadpool_limits(threads):
        try:
            return pipeline.fit(frame, labels, **weighing)
        except (TypeError, ValueError) as exc:
            if times := whole_times(rows.schema):
                exc.add_note(f"{', '.join(times)} came as datetime64: declare parts of it, or let the pipeline transform it into numbers")
            raise


def without_empty(frame: pd.DataFrame, schema: StreamSchema) -> pd.DataFrame:
    """The rows with a constant, 0, the empty category or 1970-01-01, in each feature that none of them has.

    So it is before a new optional feature has come into the rows: nothing can be learned from it, and many estimators
    cannot be fitted with a column of missing values alone.
    """
    inputs = ((name, feature) for feature in schema.features for name in feature.inputs)
    constants = {name: constant(feature, len(frame)) for name, feature in inputs if frame[name].isna().all()}
    return frame.assign(**constants) if constants else frame


def check_sanity(scores: npt.NDArray[np.float64]) -> None:
    """Raises UserError for a model that must not be deployed: scores that are not finite, or all the same."""
    bad = int((~np.isfinite(scores)).sum())
    if bad:
        raise UserError(f"the model gives {bad} of {len(scores)} rows a score that is not a finite number")
    if len(scores) > 1 and np.all(scores == scores[0]):
        raise UserError(f"the model gives every row the same score, {scores[0]:.6g}")


def _numbers_of(keys: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """A number for each row: the same for rows with the same split key."""
    encoded = keys.combine_chunks().dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64)  # type: ignore[no-any-return]
