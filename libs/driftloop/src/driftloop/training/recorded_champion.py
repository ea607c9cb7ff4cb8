"""A champion that is served elsewhere, as it answered: its predictions are in the lake, each given before the row's label was known."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.schema import StreamSchema
from driftloop.registry.state import ModelState, ModelVersion
from driftloop.rows import probabilities
from driftloop.statistics.metrics import ModelOutput

Mask = npt.NDArray[np.bool_]


def recorded_columns(schema: StreamSchema) -> list[str]:
    """What the rows of a run need beside features and labels."""
    return ["prediction", "score", "model_version", *([PROBABILITIES] if schema.has_probabilities else [])]


def namesakes(model: ModelState, champion: ModelVersion) -> tuple[int, ...]:
    """Our numbers of the version that the champion is: it has another one for each reference that was chosen for it."""
    own = champion.watched
    return tuple(v.version for v in model.versions if own and v.watched and v.watched.served_as == own.served_as)


def recorded_output(rows: pa.Table, versions: Sequence[int]) -> tuple[ModelOutput, Mask]:
    """What these versions answered to the n labelled ``rows``, and where they did: elsewhere there is nothing to be read in the output,
    whose predictions are the labels there."""
    by = pc.fill_null(pc.is_in(rows.column("model_version"), value_set=pa.array(versions, pa.int64())), False)
    answered: Mask = pc.and_(by, rows.column("score").is_valid()).to_numpy().astype(bool)
    predictions = pc.coalesce(rows.column("prediction"), rows.column("label")).to_numpy()
    scores = np.where(answered, rows.column("score").to_numpy(), np.nan)
    return _with_probabilities(ModelOutput(predictions, scores), rows, answered), answered


def _with_probabilities(output: ModelOutput, rows: pa.Table, answered: Mask) -> ModelOutput:
    if PROBABILITIES not in rows.column_names or not answered.any():
        return output
    given = rows.column(PROBABILITIES)
    if given.filter(pa.array(answered)).null_count:
        return output  # a metric that needs them is not defined then
    found = probabilities.matrix(given.filter(pa.array(answered)))
    if found is None:
        return output
    classes, values = found
    everywhere = np.full((rows.num_rows, len(classes)), np.nan)
    everywhere[answered] = values
    return output._replace(probabilities=everywhere, classes=classes)
