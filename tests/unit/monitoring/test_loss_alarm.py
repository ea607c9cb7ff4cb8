"""A version's loss alarm is a fold over the newest reports on its windows, in whatever order they came."""

import random

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from tests.unit.monitoring.traffic import window

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import LossMean
from driftloop.history.reports import Reports
from driftloop.monitoring.loss_alarm import ToldLoss, loss_alarm, window_losses
from driftloop.project.rules import Monitoring
from driftloop.statistics.profile import HeldOutLoss

AS_DECLARED = Monitoring()
HELD_OUT = HeldOutLoss(loss="squared", rows=5000, mean=0.2, deviation=0.2, high=0.9)


def lost(mean: float, rows: int = 1000, **more) -> LossMean:
    return LossMean(**{"loss": "squared", "mean": mean, "rows": rows} | more)


def alarm(*means: float, held_out: HeldOutLoss | None = HELD_OUT, monitoring: Monitoring = AS_DECLARED):
    return loss_alarm({window(i): lost(mean) for i, mean in enumerate(means)}, held_out, monitoring)


def report(i: int, loss: LossMean | None, version: int = 1, revision: int = 0) -> PerformanceReported:
    return PerformanceReported(
        model="m",
        stream="s",
        version=version,
        window=window(i),
        revision=revision,
        metric="roc_auc",
        measured=None,
        rows=1000,
        labelled=1000,
        coverage=1.0,
        median_label_delay_seconds=1.0,
        inferences_version=1,
        labels_version=1,
        loss=loss or msgspec.UNSET,
    )


def test_a_loss_as_at_training_is_quiet_and_one_that_rises_is_alarmed():
    quiet = alarm(*[0.2] * 20)
    assert (quiet.raised, quiet.windows, quiet.reference, quiet.reference_from) == (False, 20, 0.2, "training")
    assert quiet.bound == pytest.approx(0.2 + 1.645 * 0.2 / 5000**0.5)
    raised = alarm(*[0.2] * 5, *[0.3] * 12)
    assert raised.raised
    assert raised.e > 1 / raised.alpha


def test_the_declared_alpha_and_tolerance_count():
    means = [0.2] * 3 + [0.3] * 6
    assert alarm(*means, monitoring=Monitoring(loss_alarm=0.3)).raised
    assert not alarm(*means, monitoring=Monitoring(loss_alarm=1e-9)).raised
    assert not alarm(*means, *[0.3] * 20, monitoring=Monitoring(loss_tolerance=0.15)).raised


def test_without_a_reference_from_training_the_first_windows_stand_in():
    assert alarm(0.2, 0.2, held_out=None) is None
    found = alarm(*[0.2] * 3, *[0.35] * 12, held_out=None)
    assert (found.reference_from, found.windows, found.raised) == ("first-windows", 12, True)


def test_a_reference_of_another_loss_or_scale_is_none():
    other = HeldOutLoss(loss="wrong", rows=500, mean=0.1, deviation=0.3, high=1.0)
    assert alarm(*[0.2] * 4, held_out=other).reference_from == "first-windows"
    errors = HeldOutLoss(loss="absolute", rows=500, mean=2.0, deviation=3.0, high=10.0)
    by_scale = {
        scale: loss_alarm({window(i): lost(0.2, loss="absolute", scale=scale) for i in range(4)}, errors, AS_DECLARED)
        for scale in (10.0, 8.0)
    }
    assert (by_scale[10.0].reference_from, by_scale[10.0].reference) == ("training", 0.2)
    assert by_scale[8.0].reference_from == "first-windows"


def test_windows_of_another_loss_than_the_last_are_left_out():
    losses = {window(0): lost(0.9, loss="wrong"), window(1): lost(0.2), window(2): lost(0.0, rows=0), window(3): lost(0.2)}
    assert loss_alarm(losses, HELD_OUT, AS_DECLARED).windows == 2
    assert loss_alarm({}, HELD_OUT, AS_DECLARED) is None
    assert loss_alarm({window(0): lost(0.0, rows=0)}, HELD_OUT, AS_DECLARED) is None


def test_only_the_versions_own_windows_up_to_the_one_that_is_asked_about_are_taken():
    reports = [report(2, lost(0.3)), report(0, lost(0.1)), report(1, lost(0.2), version=2), report(1, None), report(3, lost(0.4))]
    assert list(window_losses(map(ToldLoss.of, reports), 1, window(2)).items()) == [(window(0), lost(0.1)), (window(2), lost(0.3))]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.floats(0, 1), st.integers(1, 900)), min_size=1, max_size=40), st.randoms())
def test_reports_in_any_order_told_twice_and_corrected_give_the_same_alarm(told, order: random.Random):
    revisions = dict.fromkeys(range(9), -1)
    reports = []
    for i, mean, rows in told:
        revisions[i] += 1
        reports.append(report(i, lost(mean, rows), revision=revisions[i]))
    shuffled = [*reports, *order.sample(reports, len(reports) // 2)]
    order.shuffle(shuffled)
    held = {name: Reports() for name in ("in order", "shuffled")}
    for name, told_again in (("in order", reports), ("shuffled", shuffled)):
        for each in told_again:
            held[name].add(each, None)
    alarms = [
        loss_alarm(window_losses((ToldLoss.of(t.event) for t in each.all()), 1, window(8)), HELD_OUT, AS_DECLARED) for each in held.values()
    ]
    assert alarms[0] == alarms[1]
