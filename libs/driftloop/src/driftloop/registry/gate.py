"""The gate: may a candidate replace the champion? The trainer measures, the registry fold asks here."""

from typing import NamedTuple

from driftloop.contracts.values import GateMeasurements, PromotionRules


class GateVerdict(NamedTuple):
    accepted: bool
    reason: str


def check(measurements: GateMeasurements | None, rules: PromotionRules) -> GateVerdict:
    """Yes when the gain's lower bound is above the tolerance on enough rows; equal to the tolerance is not above it.

    Says nothing about which champion was measured: the fold knows that. A bound that is not a number never passes.
    """
    if measurements is None:
        return GateVerdict(False, "the candidate was not measured against the champion")
    which = f" that version {measurements.champion_version} was not fitted on" if measurements.judged_on == "held-out" else ""
    if measurements.rows < rules.min_rows:
        return GateVerdict(False, f"measured on {measurements.rows} labelled rows{which}, fewer than the {rules.min_rows} required")
    gain = f"{measurements.metric} {measurements.candidate:.4f} against {measurements.champion:.4f}"
    bound = f"lower bound of the gain {measurements.gain_lower:+.4f}"
    if not measurements.gain_lower > rules.tolerance:
        return GateVerdict(False, f"{gain}: {bound} does not clear the tolerance {rules.tolerance:+.4f}")
    return GateVerdict(True, f"{gain}: {bound} clears the tolerance {rules.tolerance:+.4f} on {measurements.rows} rows{which}")
