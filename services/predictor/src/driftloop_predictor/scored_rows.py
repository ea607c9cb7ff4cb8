"""Request rows as they are answered: by the champion, and by a canary where there is one."""

from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftloop.artifact.scoring import SEARCH_SECONDS, Scored
from driftloop.artifact.unscorable import Unscored
from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.rows.canary_hash import of_canary
from driftloop.rows.schemas import CLASS_PROBABILITIES
from driftloop_predictor.serving import ScoringModel
from driftloop_predictor.unscored import NO_MODEL


class Inferences(NamedTuple):
    """Rows of ``inference_schema``, and why some of them have no prediction; without a model none has. ``by_canary``: of each row, whether
    the canary has answered it; None: it has answered none."""

    table: pa.Table
    scored_by_model: bool
    unscored: dict[int, Unscored]
    by_canary: npt.NDArray[np.bool_] | None = None

    @property
    def reasons(self) -> tuple[tuple[str, str], ...]:
        return tuple(self.unscored.values()) if self.scored_by_model else ((NO_MODEL, ""),) * self.table.num_rows


def scored(
    rows: pa.Table,
    schema: pa.Schema,
    serving: ScoringModel | None,
    at: datetime,
    request_offsets: pa.Array | None,
    search_seconds: float = SEARCH_SECONDS,
) -> Inferences:
    """Request rows with the columns of ``inference_schema``; null predictions without a model.

    ``search_seconds``: how long to look for rows that a model cannot score.
    """
    n = rows.num_rows
    offsets = pa.nulls(n, pa.int64()) if request_offsets is None else request_offsets
    if serving is None or not n:
        answer = Scored(pa.nulls(n, schema.field("prediction").type), pa.nulls(n, pa.float64()), no_probabilities(n))
        return Inferences(_table(rows, schema, answer, _By(None, None, None), at, offsets), serving is not None, {})
    by_champion = _By(serving.version, serving.rule, serving.corrected_by)
    canary = serving.canary
    mask = None if canary is None else of_canary(rows, serving.model, canary.version, canary.share)
    if canary is None or mask is None or not mask.any():
        answer, unscored = serving.scorer.score_rows(rows, search_seconds, serving.recalibration)
        return Inferences(_table(rows, schema, answer, by_champion, at, offsets), True, unscored)
    tables, unscored = [], dict[int, Unscored]()
    order = [np.flatnonzero(~mask), np.flatnonzero(mask)]
    for places, scorer, recalibration, by in (
        (order[0], serving.scorer, serving.recalibration, by_champion),
        (order[1], canary.scorer, None, _By(canary.version, canary.rule, None)),
    ):
        if len(places):
            part = rows.take(places).combine_chunks()
            answer, why = scorer.score_rows(part, search_seconds, recalibration)
            tables.append(_table(part, schema, answer, by, at, offsets.take(pa.array(places))))
            unscored |= {int(places[row]): reason for row, reason in why.items()}
    back = np.argsort(np.concatenate(order))
    return Inferences(pa.concat_tables(tables).take(back).combine_chunks(), True, unscored, mask)


class _By(NamedTuple):
    """Who answered some rows: version, the rule that gave it to them, the recalibration that corrected the answers."""

    version: int | None
    rule: str | None
    corrected_by: int | None


def _table(rows: pa.Table, schema: pa.Schema, answer: Scored, by: _By, at: datetime, offsets: pa.Array) -> pa.Table:
    n = rows.num_rows
    columns = {
        "prediction": answer.prediction,
        "score": answer.score,
        "model_version": _constant(by.version, pa.int64(), n),
        "scored_at": repeated(at, n),
        "request_offset": offsets,
        RECALIBRATION_EPOCH: _constant(by.corrected_by, pa.int64(), n),
        VERSION_RULE: _constant(by.rule, pa.string(), n),
        PROBABILITIES: answer.probabilities,
    }
    columns |= dict(zip(rows.column_names, rows.columns, strict=True))  # last: a feature may have the name of what is not recorded then
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _constant(value: int | str | None, kind: pa.DataType, n: int) -> pa.Array:
    return pa.nulls(n, kind) if value is None else pa.repeat(pa.scalar(value, kind), n)


def repeated(time: datetime, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(time, pa.timestamp("us", tz="UTC")), n)


def no_probabilities(n: int) -> pa.Array:
    return pa.nulls(n, CLASS_PROBABILITIES.type)
