"""What each column of a file is taken for: a role that was chosen for it, a feature, or left out with the reason."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.column_types import FeatureType
from driftloop.contracts.evolution import clashes
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.contracts.schema import RESERVED
from driftloop.contracts.values import Part
from driftloop.errors import UserError
from driftloop.proposal.facts import ColumnFacts
from driftloop.proposal.leaks import alone, doubt, empty_reason, missing_with_label, tells_alone
from driftloop.proposal.target import TargetChoice
from driftloop.proposal.wishes import Wishes

Role = Literal["feature", "target", "event time", "entity", "event id", "label time", "left out"]


class Column(Part, frozen=True, kw_only=True):
    """A column of the file and what it is taken for. ``name``: of a feature, as the project calls it."""

    column: str
    role: Role
    type: FeatureType | None
    why: str
    name: str | None = None
    missing: int = 0


def take_columns(
    facts: Sequence[ColumnFacts],
    roles: Mapping[str, tuple[Role, str]],
    target: TargetChoice,
    later: Mapping[str, str],
    order: npt.NDArray[np.intp],
    wishes: Wishes,
) -> tuple[tuple[Column, ...], list[str]]:
    """With what a person should look at. ``later``: columns that are not known when a row is asked about, with the reason. Raises UserError
    naming every column that holds two types."""
    found: list[Column] = []
    doubts: list[str] = []
    names: set[str] = {identifier(target.column)}
    problems: list[str] = []
    for column in facts:
        if column.name in roles and not (column.name in wishes.keep and column.name != target.column):
            role, why = roles[column.name]
            found.append(Column(column=column.name, role=role, type=column.kind, why=why, missing=column.missing))
            continue
        if column.name in wishes.drop:
            found.append(Column(column=column.name, role="left out", type=column.kind, why="as stated", missing=column.missing))
            continue
        if column.problem is not None:
            problems.append(f"column {column.name!r} {column.problem}")
            continue
        reason, in_doubt = (None, None) if column.name in wishes.keep else _against(column, target, later, order)
        if reason is not None:
            found.append(Column(column=column.name, role="left out", type=column.kind, why=reason, missing=column.missing))
            continue
        doubts += [in_doubt] if in_doubt else []
        name = feature_name(column.name, names)
        names.add(name)
        why = f"{column.why}, kept as stated" if column.name in wishes.keep else column.why
        found.append(Column(column=column.name, role="feature", type=column.kind, why=why, name=name, missing=column.missing))
    if problems:
        raise UserError("; ".join(problems))
    return tuple(found), doubts


def _against(
    column: ColumnFacts, target: TargetChoice, later: Mapping[str, str], order: npt.NDArray[np.intp]
) -> tuple[str | None, str | None]:
    """Why a model should not see the column, and else what speaks against it without being a reason."""
    if reason := empty_reason(column) or later.get(column.name) or missing_with_label(column, target.values):
        return reason, None
    score = alone(column, target, order)
    return tells_alone(target.column, score), doubt(column, target, score)


def feature_name(column: str, taken: set[str]) -> str:
    """A name that a project can use: letters, digits and _, none of the stream's own, each once."""
    name = identifier(column)
    if name in RESERVED or name in (PROBABILITIES, RECALIBRATION_EPOCH, VERSION_RULE) or clashes(name):
        name = f"{name.replace('__', '_')}_value"
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def identifier(text: str) -> str:
    name = text if text.isidentifier() else re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_").lower() or "column"
    return name if name.isidentifier() else f"c_{name}"
