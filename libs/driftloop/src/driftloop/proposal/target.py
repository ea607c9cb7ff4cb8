"""Which column is predicted, and as what."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.class_probabilities import MAX_CLASSES
from driftloop.contracts.column_types import TARGET_TASKS, TargetType, Task
from driftloop.datafile.values import FALSE_WORDS, TRUE_WORDS, NotOfType, as_type, words
from driftloop.errors import UserError
from driftloop.proposal.facts import ColumnFacts
from driftloop.proposal.wishes import Unsure, Wishes
from driftloop.statistics.metrics import NoSuchMetric, check_declared, proposed

NAMES = ("target", "label", "y", "class", "outcome", "truth")
FEW_VALUES = 20  # whole numbers up to here may be classes
FEW_ROWS = 20  # of a class that is said to be rare


class TargetChoice(NamedTuple):
    """``values``: in the type's Arrow type, null where there is no label."""

    column: str
    type: TargetType
    metric: str
    values: pa.ChunkedArray
    why: str
    warnings: tuple[str, ...]

    @property
    def task(self) -> Task:
        return TARGET_TASKS[self.type]

    @property
    def unlabelled(self) -> int:
        return int(self.values.null_count)


def choose_target(facts: Sequence[ColumnFacts], wishes: Wishes) -> TargetChoice:
    """Raises Unsure, and UserError for a column that cannot be predicted."""
    column, why = _named(facts, wishes)
    if column.problem is not None and wishes.target_type is None:
        raise UserError(f"the target {column.name!r} {column.problem}")
    if column.known == 0:
        raise UserError(f"the target {column.name!r} has no value in any of {column.rows:,} rows: name a column with labels with --target")
    kind, because = _type(column, wishes)
    try:
        values = as_type(column.values, kind)
    except NotOfType as exc:
        raise UserError(f"the target {column.name!r} is to be {kind}, and {exc}") from exc
    classes = pc.count_distinct(values, mode="only_valid").as_py()
    if classes < 2:
        one = values.drop_null()[0].as_py()
        told = f"has one value, {one!r}, in all of its {len(values) - values.null_count:,} labelled rows"
        raise UserError(
            f"the target {column.name!r} {told}: there is nothing to learn; name another with --target, or add rows of the other"
        )
    metric = wishes.metric or proposed(TARGET_TASKS[kind])
    try:
        check_declared(metric, TARGET_TASKS[kind])
    except NoSuchMetric as exc:
        raise UserError(f"--metric: {exc}") from exc
    return TargetChoice(column.name, kind, metric, values, f"{why}; {because}", tuple(_warnings(column, kind, values)))


def _named(facts: Sequence[ColumnFacts], wishes: Wishes) -> tuple[ColumnFacts, str]:
    by_name = {column.name: column for column in facts}
    if wishes.target is not None:
        if wishes.target not in by_name:
            raise UserError(f"--target: the file has no column {wishes.target!r}; it has {', '.join(list(by_name)[:40])}")
        return by_name[wishes.target], "as stated"
    called = [column for column in facts if column.name.lower() in NAMES]
    if len(called) == 1:
        return called[0], "called so"
    choices = tuple(column.name for column in called or facts if column.kind != "datetime" and column.distinct > 1)
    raise Unsure("target", "which column is to be predicted?", choices)


def _type(column: ColumnFacts, wishes: Wishes) -> tuple[TargetType, str]:
    if wishes.target_type is not None:
        return wishes.target_type, "as stated"
    name = f"the target {column.name!r}"
    match column.kind:
        case "boolean":
            return "boolean", "true or false"
        case "category":
            return _of_text(column, name)
        case "integer" | "number":
            values = set(column.values.drop_null().unique().to_pylist()) if column.distinct <= FEW_VALUES else set()
            if values and values <= {0, 1}:
                return "boolean", "0 and 1 are false and true"
            if values and column.kind == "integer" and len(values) > 1:
                question = f"{name} has {len(values)} different whole numbers: are they amounts (number), or classes (category)?"
                raise Unsure("target_type", question, ("number", "category"))
            return "number", "a number, so regression"
        case _:
            raise UserError(f"{name} holds times: a target is a number, a boolean or a category; name another with --target")


def _of_text(column: ColumnFacts, name: str) -> tuple[TargetType, str]:
    if column.distinct == 2 and words(column.values.drop_null().unique().to_pylist()):
        return "boolean", f"{', '.join(TRUE_WORDS[:3])}, … are true and {', '.join(FALSE_WORDS[:3])}, … are false"
    if column.distinct > MAX_CLASSES:
        told = f"{column.distinct:,} different texts in {column.known:,} rows, more than {MAX_CLASSES:,} classes"
        raise UserError(f"{name} has {told}: name another with --target")
    return "category", f"{column.distinct} classes"


def _warnings(column: ColumnFacts, kind: TargetType, values: pa.ChunkedArray) -> list[str]:
    told = []
    if values.null_count:
        told.append(f"{values.null_count:,} of {len(values):,} rows have no {column.name}: they are sent and scored, and have no label")
    if kind != "number":
        counts = {str(each["values"]): each["counts"] for each in pc.value_counts(values.drop_null()).to_pylist()}
        rare = {name: n for name, n in counts.items() if n < FEW_ROWS}
        if rare:
            shown = ", ".join(f"{name} ({n})" for name, n in list(rare.items())[:5])
            told.append(f"{column.name}: fewer than {FEW_ROWS} rows are {shown}: a window may have none of them")
    return told
