"""The gate: may a candidate replace the champion? The trainer measures, the registry fold asks here."""

import math
from typing import NamedTuple

from driftloop.contracts.values import GateMeasurements, PromotionRules
from driftloop.statistics.metrics import NoSuchMetric, find


class GateVerdict(NamedTuple):
    accepted: bool
    reason: str


def check(measurements: GateMeasurements | None, rules: PromotionRules) -> GateVerdict:
    """Yes when the gain's lower bound is above the tolerance on enough rows; equal to the tolerance is not above it.

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
    bound = f"lower bound of the gain {measurements.gain_lower:+.4f}"
    if not measurements.gain_lower > rules.tolerance:
        return GateVerdict(False, f"{gain}: {bound} does not clear the tolerance {rules.tolerance:+.4f}")
    return GateVerdict(True, f"{gain}: {bound} clears the tolerance {rules.tolerance:+.4f} on {measurements.rows} rows{which}")


def _impossible(found: GateMeasurements) -> str | None:
    """What a measurement can never show, whatever was measured: such figures are a fault or a forgery. None: nothing.

    The gain is the difference of the two values, in the direction in which the metric is better; its lower bound is a quantile of
    resampled gains, which stay within a metric's range of it.
    """
    values = {"candidate": found.candidate, "champion": found.champion, "gain": found.gain, "gain_lower": found.gain_lower}
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
    return None


def _gains(found: GateMeasurements) -> tuple[float, ...]:
    """By how much the candidate is better: the one way of the metric, or both of a metric that only another release knows."""
    try:
        return (find(found.metric).gain(found.candidate, found.champion),)
    except NoSuchMetric:
        return found.candidate - found.champion, found.champion - found.candidate
