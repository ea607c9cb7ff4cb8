"""`driftloop performance` and `driftloop drift`: what is measured, what is estimated, and what moved most, as a person reads it."""

import io

import msgspec
from tests.unit.history import facts

from driftloop.cli import drift as drift_command
from driftloop.cli import performance as performance_command
from driftloop.cli.output import CleanConsole
from driftloop.client import distribution_slots
from driftloop.client.distributions import Distribution
from driftloop.contracts.values import Estimate, FeatureDrift, Interval, WindowAnswer
from driftloop.history.told import Told
from driftloop.statistics.profile import Column


def shown(render) -> str:
    out = io.StringIO()
    render(CleanConsole(file=out, width=160))
    return out.getvalue()


def told(*reports):
    return [Told(report, facts.about(report, "r")) for report in reports]


def measured(n: int, value: float, **more):
    interval = Interval(value=value, lower=value - 0.1, upper=value + 0.1)
    return msgspec.structs.replace(facts.performance(n, **more), measured=interval)


def column(distance: float, drifted: bool = False) -> FeatureDrift:
    return FeatureDrift.of({"psi": distance}, missing_share=0.25, unseen_share=0, out_of_range_share=0, drifted=drifted, distance=distance)


def drifted(n: int, **more):
    features = {"calm": column(0.1), "far": column(0.6, True), "near": column(0.2)}
    known = {"alpha": 0.1, "distance": 0.6, "column": "far", "threshold": 0.3, "verdict": "drifted", "profile": facts.DIGEST}
    return msgspec.structs.replace(facts.drift(n), features=features, **known | more)


def test_a_measured_window_has_its_interval_and_an_unmeasured_one_its_marked_estimate():
    guess = Estimate(value=0.65, calibrated=True)
    answer = WindowAnswer(answer="calm", reason="r", harm_known=True)
    part = msgspec.structs.replace(facts.performance(1, version=2), estimate=guess, answer=answer)
    reports = told(measured(0, 0.7), facts.performance(1), part)
    lines = shown(lambda console: performance_command._show(console, "m", reports)).splitlines()
    first, second = (next(line for line in lines if start in line and "│" in line) for start in ("2026-01-01 00:00", "2026-01-01 01:00"))
    assert "0.7000" in first
    assert "0.6000 … 0.8000" in first
    assert "~0.6500" in second
    assert "v2" in second
    assert "calm" in second
    plot = [line for line in lines if line.startswith("2026-01-01") and "|" in line]
    assert plot[0].endswith("0.700")
    assert "~" in plot[1]
    assert "o" not in plot[1]


def test_an_estimate_of_a_fully_labelled_window_is_not_shown():
    guess = Estimate(value=0.65, calibrated=True)
    part = msgspec.structs.replace(facts.performance(0, version=2), estimate=guess)
    whole = msgspec.structs.replace(facts.performance(0), coverage=1.0)
    assert performance_command.estimated(whole, [part]) is None
    assert performance_command.estimated(msgspec.structs.replace(whole, coverage=0.9), [part]) == 0.65


def test_a_window_tells_its_ratio_to_the_threshold_and_the_columns_that_moved_most():
    text = shown(lambda console: drift_command._show(console, "m", [drifted(0)]))
    assert "far* 0.600, near 0.200, calm 0.100" in text
    assert "2.00" in text
    [bar] = [line for line in text.splitlines() if line.startswith("2026-01-01")]
    assert bar == "2026-01-01 00:00 " + "#" * 20 + "|" + "#" * 19


def test_a_window_that_nobody_scored_or_that_cannot_be_judged_says_so():
    unscored = facts.drift(0, version=None)
    uncalibrated = drifted(1, verdict="uncalibrated", threshold=None, because="the training data are of 2 windows; 10 show it")
    text = shown(lambda console: drift_command._show(console, "m", [unscored, uncalibrated]))
    assert "not scored" in text
    assert "uncalibrated: the training data are of 2 windows; 10 show it" in text
    assert "0.600, no threshold" in text


def test_a_feature_is_shown_with_its_values_beside_those_of_training():
    numbers = Column(kind="ordered", low=0.0, uppers=tuple(float(n + 1) for n in range(24)), counts=(0, 0, *[10] * 24, 0))
    counts = (5, 0, *[0] * 23, 90, 5)
    found = Distribution(model="m", version=1, feature="far", window=facts.window(0), column=numbers, counts=counts)
    text = shown(lambda console: drift_command._show_feature(console, [drifted(0)], found))
    assert "drifted" in text
    assert "25.0 %" in text, "missing"
    assert "(missing)" in text
    assert "above 24" in text
    assert "90.0 % ########" in text


def test_rare_categories_are_shown_together_and_none_is_lost():
    names = tuple(f"c{n}" for n in range(30))
    column = Column(kind="category", categories=names, counts=(1, *[2] * 30, 3))
    slots = distribution_slots.slots(column, column.counts, column.counts)
    assert len(slots) <= distribution_slots.MOST_LINES + 3
    assert sum(slot.reference for slot in slots) == sum(slot.current for slot in slots) == sum(column.counts)


def test_neighbouring_bins_are_put_together_and_none_is_lost():
    for n in (1, 5, 12, 13, 63):
        column = Column(kind="ordered", low=0.0, uppers=tuple(float(i + 1) for i in range(n)), counts=(1, 1, *[2] * n, 1))
        slots = distribution_slots.slots(column, column.counts, column.counts)
        assert len(slots) <= distribution_slots.MOST_LINES + 3
        assert sum(slot.reference for slot in slots) == sum(column.counts)
