"""From a table and what a person has said to a whole proposal, or to the question that is left."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.column_types import DatetimePart, TargetType, Task
from driftloop.contracts.names import is_name
from driftloop.contracts.values import Part
from driftloop.errors import UserError
from driftloop.proposal.clock import TimeChoice, choose_label_time, choose_time, micros
from driftloop.proposal.columns import Column, Role, identifier, take_columns
from driftloop.proposal.facts import ColumnFacts, look
from driftloop.proposal.keys import choose_entity, choose_event_id
from driftloop.proposal.target import TargetChoice, choose_target
from driftloop.proposal.windows import WindowChoice, choose_windows
from driftloop.proposal.wishes import NONE, Wishes, option

PARTS: tuple[DatetimePart, ...] = ("epoch_days", "weekday", "hour")  # of a time that is a feature: how long ago, and its rhythm


class Proposal(Part, frozen=True, kw_only=True):
    """A project to be written, with a reason for each choice. ``event_time``: one column, or those of year, month and day."""

    name: str
    model: str
    rows: int
    labelled: int
    start: datetime
    end: datetime
    columns: tuple[Column, ...]
    target: str
    target_name: str
    target_type: TargetType
    task: Task
    metric: str
    event_time: tuple[str, ...]
    time_format: str | None
    timezone: str
    entity: tuple[str, ...]
    event_id: str | None
    label_time: str | None
    missing: tuple[str, ...]
    every: str
    windows: int
    rows_a_window: int
    warnings: tuple[str, ...]

    @property
    def features(self) -> list[Column]:
        return [column for column in self.columns if column.role == "feature"]

    @property
    def left_out(self) -> list[Column]:
        return [column for column in self.columns if column.role == "left out"]


def propose(table: pa.Table, folder: Path, wishes: Wishes) -> Proposal:
    """``folder``: whose name the project takes, unless one is stated. Raises Unsure with the question that is left, and UserError
    for what cannot become a project."""
    facts = look(table, wishes.types, wishes.time_format, wishes.timezone)
    _check_named(facts, wishes)
    time = choose_time(facts, wishes)
    target = choose_target([column for column in facts if column.name not in time.columns], wishes)
    label_time, why_label_time, later = choose_label_time(facts, time, target.values, wishes)
    taken = {*time.columns, target.column, *([label_time] if label_time else [])}
    event_id, why_id = choose_event_id(facts, taken, wishes)
    entity, why_entity = choose_entity(facts, taken | ({event_id} if event_id else set()), wishes)
    roles: dict[str, tuple[Role, str]] = {
        **dict.fromkeys(entity, ("entity", why_entity)),
        **({event_id: ("event id", why_id)} if event_id else {}),
        **({label_time: ("label time", why_label_time)} if label_time else {}),
        **dict.fromkeys(time.columns, ("event time", time.why)),
        target.column: ("target", target.why),
    }
    order = np.argsort(micros(time.values), kind="stable")
    columns, doubts = take_columns(facts, roles, target, later | _written_otherwise(facts, time, label_time), order, wishes)
    if not any(column.role == "feature" for column in columns):
        raise UserError(f"no column is left to predict {target.column} from: {option('keep')} COLUMN takes one against the reason given")
    moments = micros(time.values)
    windows = choose_windows(moments[pc.is_valid(target.values).to_numpy()], wishes.every)
    return _proposal(table, folder, wishes, time, target, columns, windows, entity, event_id, label_time, doubts)


def _written_otherwise(facts: Sequence[ColumnFacts], time: TimeChoice, label_time: str | None) -> dict[str, str]:
    """Columns of times that are written neither as the event times nor as ISO 8601, with the reason. Raises UserError for the label's."""
    found = {
        column.name: f"times written as {column.written}, otherwise than the event time: only one way besides ISO 8601 is read"
        for column in facts
        if column.kind == "datetime" and column.written not in (None, time.written)
    }
    if label_time in found:
        raise UserError(f"{option('label_time')}: column {label_time!r} has {found[label_time]}; write it in ISO 8601, or say {NONE}")
    return found


def _check_named(facts: Sequence[ColumnFacts], wishes: Wishes) -> None:
    known = [column.name for column in facts]
    for field, names in (("keep", wishes.keep), ("drop", wishes.drop), ("type", tuple(wishes.types))):
        for name in names:
            if name not in known:
                raise UserError(f"{option(field)}: the file has no column {name!r}; it has {', '.join(known[:40])}")
    if both := sorted(set(wishes.keep) & set(wishes.drop)):
        raise UserError(f"{both[0]!r} cannot be kept and dropped")


def slug(text: str) -> str:
    """A name for topics and keys made of any text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "project"


def _proposal(
    table: pa.Table,
    folder: Path,
    wishes: Wishes,
    time: TimeChoice,
    target: TargetChoice,
    columns: tuple[Column, ...],
    windows: WindowChoice,
    entity: tuple[str, ...],
    event_id: str | None,
    label_time: str | None,
    doubts: Sequence[str],
) -> Proposal:
    if wishes.name is not None and not is_name(wishes.name):
        raise UserError(f"--name: {wishes.name!r} is no name: lower-case letters, digits and hyphens")
    name = wishes.name or slug(folder.resolve().name)
    low, high = (pc.min_max(time.values)[end].as_py() for end in ("min", "max"))
    return Proposal(
        name=name,
        model=slug(f"{name[:31]}-{target.column[:31]}"),
        rows=table.num_rows,
        labelled=table.num_rows - target.unlabelled,
        start=low.astimezone(UTC),
        end=high.astimezone(UTC),
        columns=columns,
        target=target.column,
        target_name=identifier(target.column),
        target_type=target.type,
        task=target.task,
        metric=target.metric,
        event_time=time.columns,
        time_format=time.written,
        timezone=wishes.timezone,
        entity=entity,
        event_id=event_id,
        label_time=label_time,
        missing=wishes.missing,
        every=windows.every,
        windows=windows.windows,
        rows_a_window=windows.rows,
        warnings=(*time.warnings, *target.warnings, *doubts),
    )
