"""What a canary's answers lost in a window beside the champion's, by what each row says of its rule. Pure.

Both sides of one record, in the time in which it was in force, are compared: its entities' rows against the others', two samples that
share no entity; where the canary has answered the champion's rows in its shadow, the pairs of answers instead, if that is surer.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.canary import MOST_WINDOWS, VERSION_RULE, CanaryWindow, Rule
from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import Window
from driftloop.monitoring.performance import ProfileOf
from driftloop.project.model import Project
from driftloop.rows.schemas import OF_CHAMPION
from driftloop.statistics.entity_means import Mean, difference, entity_mean
from driftloop.statistics.losses import error_scale, row_losses

_Losses = npt.NDArray[np.float64]


class Beside(NamedTuple):
    """A window's rows of one record of a canary, labelled or not: its own, and the champion's in the same time."""

    version: int
    champion: int
    epoch: int
    ours: pa.Table
    theirs: pa.Table


def beside(project: Project, rows: pa.Table) -> list[Beside]:
    """Of each record that shared out some of the rows, lowest epoch first. A record without rows on both sides is none."""
    if VERSION_RULE not in rows.column_names or not project.schema.has_version_rule:
        return []
    column = rows.column(VERSION_RULE)
    rules = {text: rule for text in pc.unique(column).to_pylist() if text is not None and (rule := Rule.read(text)) is not None}
    found = []
    for epoch in sorted({rule.epoch for rule in rules.values() if rule.epoch is not None}):
        of = {kind: [text for text, rule in rules.items() if (rule.kind, rule.epoch) == (kind, epoch)] for kind in ("canary", "champion")}
        ours, theirs = _ruled(rows, of["canary"]), _ruled(rows, of["champion"])
        if ours.num_rows and theirs.num_rows:
            canary, champion = (int(side.column("model_version")[0].as_py() or 0) for side in (ours, theirs))
            found.append(Beside(canary, champion, epoch, ours, theirs))
    return found


def canary_windows(
    project: Project, window: Window, rows: pa.Table, shadow: pa.Table | None, profile_of: ProfileOf
) -> tuple[CanaryWindow, ...]:
    """``rows``: the window's, with their labels, null where there is none yet; ``shadow``: what challengers answered for them."""
    pairs = beside(project, rows)
    found = (_compared(project, window, pair, shadow if pair is pairs[-1] else None, profile_of) for pair in pairs)
    return tuple(each for each in found if each is not None)


def earlier_windows(reports: Iterable[PerformanceReported], window: Window) -> list[CanaryWindow]:
    """As the newest report on each window before has them, oldest first."""
    found = [
        each
        for report in reports
        if report.version is None and report.window.end <= window.start and report.canary is not msgspec.UNSET
        for each in report.canary
    ]
    return sorted(found, key=lambda each: (each.window.start, each.epoch))[-MOST_WINDOWS:]


def _compared(project: Project, window: Window, pair: Beside, shadow: pa.Table | None, profile_of: ProfileOf) -> CanaryWindow | None:
    profile = profile_of(pair.champion)
    scale = None if profile is None else error_scale(profile)
    ours, theirs = _labelled(pair.ours), _labelled(pair.theirs)
    both = pa.concat_tables([ours.select(_MEASURED), theirs.select(_MEASURED)])
    losses = _losses(project, both, scale)
    if losses is None:
        return None
    keys, n = _keys(both), ours.num_rows
    a, b = (_mean(losses[part], keys[part]) for part in (slice(None, n), slice(n, None)))
    if a is None or b is None:
        return None
    apart, error = difference(a, b)
    paired = None if shadow is None else _paired(project, pair, shadow, scale)
    surer = paired is not None and paired.error < error
    return CanaryWindow(
        window=window,
        version=pair.version,
        epoch=pair.epoch,
        rows=a.rows,
        champion_rows=b.rows,
        difference=paired.value if paired is not None and surer else apart,
        error=paired.error if paired is not None and surer else error,
        paired=surer,
    )


_MEASURED = ["entity", "prediction", "score", "label"]


def _paired(project: Project, pair: Beside, shadow: pa.Table, scale: float | None) -> Mean | None:
    """Over the champion's rows that the canary answered in its shadow: its loss on each less the champion's."""
    mine, the_champions = pc.equal(shadow.column("model_version"), pair.version), pc.equal(shadow.column(_CHAMPION), pair.champion)
    rows = shadow.filter(pc.fill_null(pc.and_(mine, the_champions), False))
    rows = _labelled(rows.filter(rows.column(f"{OF_CHAMPION}score").is_valid()))
    answered = rows.select(["entity", f"{OF_CHAMPION}prediction", f"{OF_CHAMPION}score", "label"]).rename_columns(_MEASURED)
    ours, theirs = _losses(project, rows, scale), _losses(project, answered, scale)
    if ours is None or theirs is None:
        return None
    return _mean(ours - theirs, _keys(rows))


_CHAMPION = f"{OF_CHAMPION}model_version"


def _ruled(rows: pa.Table, texts: list[str]) -> pa.Table:
    return rows.filter(pc.fill_null(pc.is_in(rows.column(VERSION_RULE), pa.array(texts, pa.string())), False))


def _labelled(rows: pa.Table) -> pa.Table:
    return rows.filter(pc.and_(rows.column("label").is_valid(), rows.column("score").is_valid()))


def _losses(project: Project, rows: pa.Table, scale: float | None) -> _Losses | None:
    labels, predictions, scores = (rows.column(name).to_numpy() for name in ("label", "prediction", "score"))
    found = row_losses(project.schema.target.task, labels, predictions, scores, scale)
    return None if found is None else found[1]


def _mean(losses: _Losses, keys: npt.NDArray[np.int64]) -> Mean | None:
    finite = np.isfinite(losses)
    return entity_mean(losses[finite], keys[finite])


def _keys(rows: pa.Table) -> npt.NDArray[np.int64]:
    """A number for each entity; a row without one is its own."""
    codes = rows.column("entity").combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(codes < 0, len(codes) + np.arange(len(codes)), codes).astype(np.int64)
