"""How closely a rebuilt version matches the recorded one. Values in, values out.

- ``bytes``: all files are the same, byte for byte: model.skops and those of its estimators, profile.json, card.md and
  lineage.json. The comparison with the champion that card and lineage tell of is taken from the record, unless it was made again.
- ``predictions``: on every row that the version was made from the prediction is the same, and no score, nor the probability
  of any of several classes, differs by more than SCORE_TOLERANCE.
- ``metrics``: the project's metric on the held-out rows differs by no more than METRIC_TOLERANCE, of its value where that is
  above 1, as of an error in the target's unit.
- ``none``: neither.
"""

from collections.abc import Mapping

from driftloop.contracts.events import ReproductionLevel
from driftloop.training.job import Agreement

LEVELS: tuple[ReproductionLevel, ...] = ("bytes", "predictions", "metrics", "none")  # closest first
SCORE_TOLERANCE = 1e-6  # what another order of summing may change, and no decision depends on
METRIC_TOLERANCE = 1e-3  # a tenth of the margin by which a recipe must beat another, by default


def level_of(files: Mapping[str, bool], agreement: Agreement | None) -> ReproductionLevel:
    """``files``: by name, whether the bytes are the same; all of a version's."""
    if files and all(files.values()):
        return "bytes"
    if agreement is None or agreement.error is not None:
        return "none"
    if agreement.differing == 0 and agreement.largest_score_difference <= SCORE_TOLERANCE:
        return "predictions"
    recorded, rebuilt = agreement.recorded_metric, agreement.rebuilt_metric
    if recorded is not None and rebuilt is not None and abs(recorded - rebuilt) <= METRIC_TOLERANCE * max(1.0, abs(recorded)):
        return "metrics"
    return "none"


def reaches(level: ReproductionLevel, wanted: ReproductionLevel) -> bool:
    """Whether ``level`` is at least as close as ``wanted``."""
    return LEVELS.index(level) <= LEVELS.index(wanted)
