"""A version's loss alarm after each of its windows: a fold over the windows' mean losses as they are known now. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import LossAlarm, LossMean, Window
from driftloop.monitoring.performance import LastReport
from driftloop.project.rules import Monitoring
from driftloop.statistics.e_process import LossWindow, Reference, first_windows_reference, loss_has_risen, reference_of
from driftloop.statistics.profile import HeldOutLoss


class ToldLoss(NamedTuple):
    """What a report, or what is remembered of one, says a version lost in a window; ``loss`` None: nothing."""

    window: Window
    version: int | None
    revision: int
    loss: LossMean | None

    @classmethod
    def of(cls, report: PerformanceReported) -> "ToldLoss":
        return cls(report.window, report.version, report.revision, report.loss if isinstance(report.loss, LossMean) else None)

    @classmethod
    def remembered(cls, window: Window, last: LastReport) -> "ToldLoss":
        return cls(window, last.version, last.revision, last.loss if isinstance(last.loss, LossMean) else None)


def window_losses(told: Iterable[ToldLoss], version: int, up_to: Window) -> dict[Window, LossMean]:
    """By the highest revision on each window of a version, the last of those that have it; oldest window first; of windows that end by
    the end of ``up_to``."""
    newest: dict[Window, ToldLoss] = {}
    for each in told:
        known = newest.get(each.window)
        if each.version == version and each.window.end <= up_to.end and (known is None or each.revision >= known.revision):
            newest[each.window] = each
    in_order = sorted(newest.values(), key=lambda each: (each.window.start, each.window.end))
    return {each.window: each.loss for each in in_order if each.loss is not None}


def loss_alarm(losses: Mapping[Window, LossMean], held_out: HeldOutLoss | None, monitoring: Monitoring) -> LossAlarm | None:
    """``losses`` of one version, oldest window first: those of the last one's loss and scale are compared.

    None: there is no labelled window yet, or no reference: none was measured at training and there are not enough windows to stand in.
    """
    known = [loss for loss in losses.values() if loss.rows]
    if not known:
        return None
    last = known[-1]
    windows = [LossWindow(loss.mean, loss.rows) for loss in known if (loss.loss, loss.scale) == (last.loss, last.scale)]
    reference, deviation = _at_training(held_out, last, monitoring.loss_tolerance)
    measured = reference is not None
    if reference is None:
        found = first_windows_reference(windows, monitoring.loss_tolerance)
        if found is None:
            return None
        reference, later = found
        windows = list(later)
    evidence = loss_has_risen(windows, reference.bound, deviation)
    return LossAlarm(
        loss=last.loss,
        reference=reference.mean,
        bound=reference.bound,
        reference_from="training" if measured else "first-windows",
        e=evidence.e,
        alpha=monitoring.loss_alarm,
        windows=evidence.windows,
        raised=evidence.alarmed(monitoring.loss_alarm),
    )


def _at_training(held_out: HeldOutLoss | None, last: LossMean, tolerance: float) -> tuple[Reference | None, float | None]:
    """With a row's standard deviation; neither where nothing was measured, or something else than what windows lose."""
    if held_out is None or held_out.loss != last.loss or not held_out.rows:
        return None, None
    if last.loss == "absolute" and last.scale != held_out.high:
        return None, None
    scale = last.scale or 1.0  # what lies beyond it counts as 1 in a window, which makes mean and deviation no larger than these
    mean, deviation = min(1.0, held_out.mean / scale), held_out.deviation / scale
    return reference_of(LossWindow(mean, held_out.rows), tolerance, deviation), deviation
