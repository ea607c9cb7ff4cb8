"""Champion and challenger on the same rows of a window: where they disagree, and as labels land, who is right. Pure."""

from collections.abc import Iterable, Sequence
from statistics import NormalDist

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.challengers import ChallengerReport, PairedGain
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import GateMeasurements, Window, WindowGain
from driftloop.project.model import Project
from driftloop.rows.schemas import OF_CHAMPION
from driftloop.statistics.intervals import Gain, paired_gain
from driftloop.statistics.recorded import measurable

MAX_PAIRS = 10  # of challenger and champion that a report tells of; those with most rows
EACH_SIDE = 0.95  # so that both ends together are at 90 %, as the metric's own interval
KEPT_WINDOWS = 24  # whose gains a measurement names
_Z = NormalDist().inv_cdf(EACH_SIDE)
_ANSWERS = ("prediction", "score", PROBABILITIES)


def columns(project: Project) -> tuple[str, ...]:
    """What is read of the shadow rows; the join adds label and label_time."""
    answers = [name for name in _ANSWERS if name != PROBABILITIES or project.schema.has_probabilities]
    return ("entity", "model_version", *answers, f"{OF_CHAMPION}model_version", *(f"{OF_CHAMPION}{name}" for name in answers))


def challenger_reports(project: Project, rows: pa.Table) -> tuple[ChallengerReport, ...]:
    """One for each pair of challenger and champion among the ``rows``: shadow rows of a window with their labels, null where there is
    none yet. Rows that no champion had answered are no comparison."""
    versions = rows.select(["model_version", f"{OF_CHAMPION}model_version"]).rename_columns(["challenger", "champion"])
    other = pc.not_equal(versions.column("challenger"), versions.column("champion"))  # a canary's own rows are no comparison with itself
    pairs = versions.filter(pc.fill_null(other, False)).group_by(["challenger", "champion"]).aggregate([([], "count_all")])
    largest = sorted(pairs.to_pylist(), key=lambda pair: (-pair["count_all"], pair["challenger"], pair["champion"]))[:MAX_PAIRS]
    found = [_report(project, rows, pair["challenger"], pair["champion"]) for pair in largest]
    return tuple(sorted(found, key=lambda report: (report.version, report.champion)))


def gate_measurements(
    project: Project, window: Window, rows: pa.Table, pair: ChallengerReport, earlier: Sequence[WindowGain]
) -> GateMeasurements | None:
    """What the gate judges of one pair among a window's shadow ``rows``; None where the metric is not defined on those with a label.

    ``earlier``: the pair's gains on windows before, oldest first; they and this one add up to what it has cost to keep the champion.
    """
    usable = _usable(project, _answered_by_both(rows, pair.version, pair.champion))
    found = _gain(project, usable, project.promotion.confidence)
    if found is None:
        return None
    return GateMeasurements(
        window=window,
        metric=project.metric,
        rows=usable.num_rows,
        candidate=found.candidate,
        champion=found.champion,
        gain=found.gain,
        gain_lower=found.lower,
        confidence=project.promotion.confidence,
        champion_version=pair.champion,
        gain_error=found.error,
        earlier=tuple(earlier)[-KEPT_WINDOWS:],
        waited=sum(each.gain for each in earlier) + found.gain,
        churn=msgspec.UNSET if pair.disagreement is None else pair.disagreement,
    )


def earlier_gains(reports: Iterable[PerformanceReported], window: Window, pair: ChallengerReport) -> list[WindowGain]:
    """The pair's gains on the windows before, oldest first, as the newest report on each has them."""
    found = []
    for report in reports:
        if report.version is not None or report.window.end > window.start:
            continue
        for each in report.challengers or ():
            if (each.version, each.champion) == (pair.version, pair.champion) and each.measured is not None:
                error = max(0.0, each.measured.upper - each.measured.lower) / (2 * _Z)
                found.append(WindowGain(window=report.window, gain=each.measured.gain, error=error, rows=each.labelled))
    return sorted(found, key=lambda gain: gain.window.start)


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
    asked, both = _asked(rows, challenger, champion), _answered_by_both(rows, challenger, champion)
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
    usable = _usable(project, labelled)
    found, mirrored = _gain(project, usable, EACH_SIDE), _gain(project, usable, EACH_SIDE, mirrored=True)  # of the same resamples
    if found is None or mirrored is None:
        return None
    return PairedGain(challenger=found.candidate, champion=found.champion, gain=found.gain, lower=found.lower, upper=-mirrored.lower)


def _gain(project: Project, usable: pa.Table, confidence: float, *, mirrored: bool = False) -> Gain | None:
    """Of the challenger over the champion, or the other way round."""
    if not usable.num_rows:
        return None
    metric = project.task_metric
    labels, ours = measurable(usable, metric)
    _, theirs = measurable(_as_champion(usable), metric)
    pair = (theirs, ours) if mirrored else (ours, theirs)
    return paired_gain(metric, labels, *pair, confidence=confidence, seed=project.training.seed, keys=_keys(project, usable))


def _asked(rows: pa.Table, challenger: int, champion: int) -> pa.Table:
    ours, theirs = pc.equal(rows.column("model_version"), challenger), pc.equal(rows.column(f"{OF_CHAMPION}model_version"), champion)
    return rows.filter(pc.fill_null(pc.and_(ours, theirs), False))


def _answered_by_both(rows: pa.Table, challenger: int, champion: int) -> pa.Table:
    asked = _asked(rows, challenger, champion)
    return asked.filter(pc.and_(asked.column("score").is_valid(), asked.column(f"{OF_CHAMPION}score").is_valid()))


def _usable(project: Project, both: pa.Table) -> pa.Table:
    """Those with a label and what the metric is computed from."""
    labelled = both.filter(both.column("label").is_valid())
    if project.task_metric.form.needs != "probabilities":
        return labelled
    if PROBABILITIES not in labelled.column_names:
        return labelled.slice(0, 0)
    return labelled.filter(pc.and_(labelled.column(PROBABILITIES).is_valid(), labelled.column(f"{OF_CHAMPION}{PROBABILITIES}").is_valid()))


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
