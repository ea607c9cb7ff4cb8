"""The gate of corrections: may a correction of the champion's answers begin, or end? The trainer measures, the registry fold asks here."""

import math

from driftloop.contracts.recalibration import RecalibrationProposal
from driftloop.contracts.values import PromotionRules
from driftloop.registry.gate import GateVerdict
from driftloop.statistics.recalibration import wrong


def accept(proposal: RecalibrationProposal, rules: PromotionRules) -> GateVerdict:
    """Yes to no correction, and to one whose forerunner made the project's metric better on the window that judged it.

    Its lower bound must be above the tolerance, on at least ``min_rows`` rows, as for a promotion. Whose answers are corrected is for
    the fold to check, and the task of the target.
    """
    for each in (proposal.recalibration, proposal.full):
        if each is not None and (reason := wrong(each)) is not None:
            return GateVerdict(False, f"the correction cannot be: {reason}")
    gain, lower = proposal.gain, proposal.gain_lower
    if proposal.recalibration is None:
        return GateVerdict(True, f"no correction: {_why_none(proposal)}")
    if gain is None or lower is None:
        return GateVerdict(False, "no window has judged a correction yet")
    if not (math.isfinite(gain) and math.isfinite(lower)):
        return GateVerdict(False, "the measurements cannot be: a gain that is no finite number")
    if proposal.judged_rows < rules.min_rows:
        return GateVerdict(False, f"measured on {proposal.judged_rows} labelled rows, fewer than the {rules.min_rows} required")
    found = f"corrected answers gained {gain:+.4f} {proposal.metric}, lower bound {lower:+.4f}"
    if not lower > rules.tolerance:
        return GateVerdict(False, f"{found}, which does not clear the tolerance {rules.tolerance:+.4f}")
    return GateVerdict(True, f"{found}, which clears the tolerance {rules.tolerance:+.4f} on {proposal.judged_rows} rows")


def _why_none(proposal: RecalibrationProposal) -> str:
    if not proposal.losses:
        return "no window has judged one yet"
    if proposal.gain == 0:
        return f"on the newest window it would not have moved {proposal.metric}"
    if proposal.gain is not None and proposal.gain < 0:
        return f"on the newest window it would have lost {-proposal.gain:.4f} {proposal.metric}"
    return "answers as the model gives them have lost least"
