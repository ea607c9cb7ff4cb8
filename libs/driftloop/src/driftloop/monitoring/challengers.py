"""Champion and challenger on the same rows of a window: where they disagree, and as labels land, who is right. Pure."""

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.challengers import ChallengerReport, PairedGain
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.events import PerformanceReported
from driftloop.project.model import Project
from driftloop.rows.schemas import OF_CHAMPION
from driftloop.statistics.intervals import paired_gain
from driftloop.statistics.recorded import measurable

MAX_PAIRS = 10  # of challenger and champion that a report tells of; those with most rows
EACH_SIDE = 0.95  # so that both ends together are at 90 %, as the metric's own interval
_ANSWERS = ("prediction", "score", PROBABILITIES)


def columns(project: Project) -> tuple[str, ...]:
    """What is read of the shadow rows; the join adds label and label_time."""
    answers = [name for name in _ANSWERS if name != PROBABILITIES or project.schema.has_probabilities]
    return ("entity", "model_version", *answers, f"{OF_CHAMPION}model_version", *(f"{OF_CHAMPION}{name}" for name in answers))


def challenger_reports(project: Project, rows: pa.Table) -> tuple[ChallengerReport, ...]:
    """One for each pair of challenger and champion among the ``rows``: shadow rows of a window with their labels, null where there is
    none yet. Rows that no champion had answered are no comparison."""
    versions = rows.select(["model_version", f"{OF_CHAMPION}model_version"]).rename_columns(["challenger", "champion"])
    pairs = versions.filter(versions.column("champion").is_valid()).group_by(["challenger", "champion"]).aggregate([([], "count_all")])
    largest = sorted(pairs.to_pylist(), key=lambda pair: (-pair["count_all"], pair["challenger"], pair["champion"]))[:MAX_PAIRS]
    found = [_report(project, rows, pair["challenger"], pair["champion"]) for pair in largest]
    return tuple(sorted(found, key=lambda report: (report.version, report.champion)))


def with_challengers(report: PerformanceReported, found: tuple[ChallengerReport, ...]) -> PerformanceReported:
    """All versions together tell of every pair; the version that is asked what the window means names it as a sign."""
    if not found:
        return report
    if report.version is None:
        return msgspec.structs.replace(report, challengers=found)
    if report.answer is msgspec.UNSET:
        return report
    signs = [str(each) for each in found if each.champion == report.version and each.disagreement is not None]
    if not signs:
        return report
    answer = msgspec.structs.replace(report.answer, reason="; ".join([report.answer.reason, *signs]))
    return msgspec.structs.replace(report, answer=answer)


def _report(project: Project, rows: pa.Table, challenger: int, champion: int) -> ChallengerReport:
    of_pair = pc.and_(pc.equal(rows.column("model_version"), challenger), pc.equal(rows.column(f"{OF_CHAMPION}model_version"), champion))
    asked = rows.filter(pc.fill_null(of_pair, False))
    both = asked.filter(pc.and_(asked.column("score").is_valid(), asked.column(f"{OF_CHAMPION}score").is_valid()))
    labelled = both.filter(both.column("label").is_valid())
    ours, theirs = (both.column(name).to_numpy() for name in ("score", f"{OF_CHAMPION}score"))
    return ChallengerReport(
        version=challenger,
        champion=champion,
        rows=asked.num_rows,
        compared=both.num_rows,
        unscored=asked.column("score").null_count,
        disagreement=_disagreement(project, both),
        difference=float(np.mean(np.abs(ours - theirs))) if len(ours) else None,
        labelled=labelled.num_rows,
        measured=_measured(project, labelled),
    )


def _disagreement(project: Project, both: pa.Table) -> float | None:
    if not both.num_rows:
        return None
    ours, theirs = (both.column(name).to_numpy() for name in ("prediction", f"{OF_CHAMPION}prediction"))
    if project.schema.target.task != "regression":
        return float(np.mean(ours != theirs))
    with np.errstate(all="ignore"):
        return float(np.mean(np.abs(ours - theirs) > project.promotion.moved * float(np.std(theirs))))


def _measured(project: Project, labelled: pa.Table) -> PairedGain | None:
    if project.task_metric.form.needs == "probabilities":
        if PROBABILITIES not in labelled.column_names:
            return None
        known = pc.and_(labelled.column(PROBABILITIES).is_valid(), labelled.column(f"{OF_CHAMPION}{PROBABILITIES}").is_valid())
        labelled = labelled.filter(known)
    if not labelled.num_rows:
        return None
    labels, ours = measurable(labelled, project.task_metric)
    _, theirs = measurable(_as_champion(labelled), project.task_metric)
    metric, seed, keys = project.task_metric, project.training.seed, _keys(project, labelled)
    found = paired_gain(metric, labels, ours, theirs, confidence=EACH_SIDE, seed=seed, keys=keys)
    mirrored = paired_gain(metric, labels, theirs, ours, confidence=EACH_SIDE, seed=seed, keys=keys)  # the same resamples
    if found is None or mirrored is None:
        return None
    return PairedGain(challenger=found.candidate, champion=found.champion, gain=found.gain, lower=found.lower, upper=-mirrored.lower)


def _as_champion(rows: pa.Table) -> pa.Table:
    """The same rows, with what the champion answered as the answers."""
    names = [name for name in _ANSWERS if f"{OF_CHAMPION}{name}" in rows.column_names]
    return pa.table({name: rows.column(f"{OF_CHAMPION}{name}") for name in names} | {"label": rows.column("label")})


def _keys(project: Project, rows: pa.Table) -> npt.NDArray[np.int64] | None:
    """A number for each entity; a row without one is its own."""
    if project.split_key != "entity":
        return None
    codes = rows.column("entity").combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    alone = codes < 0
    return np.where(alone, len(codes) + np.arange(len(codes)), codes).astype(np.int64)
