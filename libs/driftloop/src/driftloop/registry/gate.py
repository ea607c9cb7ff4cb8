"""The gate: may a candidate replace the champion? The trainer measures, the registry fold asks here."""

import math
from typing import NamedTuple

import msgspec

from driftloop.contracts.values import GateMeasurements, PromotionRules
from driftloop.registry import guard_rails
from driftloop.statistics.look_back import look_back
from driftloop.statistics.metrics import NoSuchMetric, find


class GateVerdict(NamedTuple):
    accepted: bool
    reason: str


def check(measurements: GateMeasurements | None, rules: PromotionRules) -> GateVerdict:
    """Yes when the gain is sure, large enough for a promotion, and measured on enough rows, and no guard rail says no.

    Sure: its lower bound is above the tolerance; equal to it is not above it. Where the same champion was measured on earlier windows
    too, the bound is that of the mean over as many of them as ``look_back`` takes. Large enough: all that has been lost by keeping
    the champion adds up to what the project says a promotion is worth.

    Says nothing about which champion was measured: the fold knows that. A bound that is not a number never passes.
    """
    if measurements is None:
        return GateVerdict(False, "the candidate was not measured against the champion")
    wrong = _impossible(measurements)
    if wrong is not None:
        return GateVerdict(False, f"the measurements cannot be: {wrong}")
    which = f" that version {measurements.champion_version} was not fitted on" if measurements.judged_on == "held-out" else ""
    if measurements.rows < rules.min_rows:
        return GateVerdict(False, f"measured on {measurements.rows} labelled rows{which}, fewer than the {rules.min_rows} required")
    gain = f"{measurements.metric} {measurements.candidate:.4f} against {measurements.champion:.4f}"
    lower, over = _lower_bound(measurements)
    bound = f"lower bound of the gain{over} {lower:+.4f}"
    if not lower > rules.tolerance:
        return GateVerdict(False, f"{gain}: {bound} does not clear the tolerance {rules.tolerance:+.4f}")
    sure = f"{gain}: {bound} clears the tolerance {rules.tolerance:+.4f} on {measurements.rows} rows{which}"
    if rules.promotion_worth > 0:
        cost = _cost_of_waiting(measurements)
        worth = f"a promotion is worth {rules.promotion_worth:g}"
        if not cost >= rules.promotion_worth:
            return GateVerdict(False, f"{sure}; but waiting has cost {cost:.4f} {measurements.metric}-windows, {worth}")
        sure = f"{sure}; waiting has cost {cost:.4f} {measurements.metric}-windows, {worth}"
    broken = guard_rails.broken(measurements, rules)
    return GateVerdict(True, sure) if broken is None else GateVerdict(False, f"{sure}; but {broken}")


def _lower_bound(found: GateMeasurements) -> tuple[float, str]:
    """Of the gain, and over how many windows it was averaged, in words."""
    if found.earlier is msgspec.UNSET or found.gain_error is msgspec.UNSET or not found.earlier:
        return found.gain_lower, ""
    gains = [*((each.gain, each.error) for each in found.earlier), (found.gain, found.gain_error)]
    averaged = look_back(gains, found.confidence)
    if averaged.windows == 1:
        return found.gain_lower, ""
    return averaged.lower(found.confidence), f", {averaged.gain:+.4f} over the last {averaged.windows} windows,"


def _cost_of_waiting(found: GateMeasurements) -> float:
    """The sum of the gains since the champion was promoted, in units of the metric times windows."""
    return found.gain if found.waited is msgspec.UNSET else found.waited


def _impossible(found: GateMeasurements) -> str | None:
    """What a measurement can never show, whatever was measured: such figures are a fault or a forgery. None: nothing.

    The gain is the difference of the two values, in the direction in which the metric is better; its lower bound is a quantile of
    resampled gains, which stay within a metric's range of it.
    """
    values = {"candidate": found.candidate, "champion": found.champion, "gain": found.gain, "gain_lower": found.gain_lower}
    values |= {name: value for name in ("gain_error", "waited", "churn") if (value := getattr(found, name)) is not msgspec.UNSET}
    for number, each in enumerate(found.earlier or ()):
        values |= {f"gain {number} of before": each.gain, f"error {number} of before": each.error}
    endless = next((name for name, value in values.items() if not math.isfinite(value)), None)
    if endless is not None:
        return f"{endless} is no finite number"
    scale = max(1.0, abs(found.candidate), abs(found.champion))
    if not any(abs(found.gain - gain) <= 1e-6 * scale for gain in _gains(found)):
        return f"the gain {found.gain:g} is not the difference of {found.candidate:g} and {found.champion:g}"
    if found.gain_lower > found.gain + scale:
        return f"the lower bound {found.gain_lower:g} lies above the gain {found.gain:g} by more than the metric's range"
    if found.rows < 0 or not 0 < found.confidence < 1:
        return f"{found.rows} rows, confidence {found.confidence:g}"
    if any(value < 0 for name, value in values.items() if "error" in name):
        return "a standard error below 0"
    return guard_rails.impossible(found)


def _gains(found: GateMeasurements) -> tuple[float, ...]:
    """By how much the candidate is better: the one way of the metric, or both of a metric that only another release knows."""
    try:
        return (find(found.metric).gain(found.candidate, found.champion),)
    except NoSuchMetric:
        return found.candidate - found.champion, found.champion - found.candidate
