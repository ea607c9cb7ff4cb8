"""What an answer by HTTP says of who gave it."""

from typing import Any

import numpy as np

from driftloop_predictor.scored_rows import Inferences
from driftloop_predictor.serving import ScoringModel


def who_answered(serving: ScoringModel, inferences: Inferences) -> dict[str, Any]:
    """Model, version, digest and recalibration of all rows, and the rule of each version with its rows. Where a canary has answered some
    of a call's rows, version and digest are null: there is none of all of them."""
    by_canary, canary = inferences.by_canary, serving.canary
    champion = {"version": serving.version, "digest": serving.digest, "recalibration_epoch": serving.corrected_by}
    if by_canary is None or canary is None:
        rows = list(range(inferences.table.num_rows))
        return {"model": serving.model, **champion, "answered_by": [{**champion, "rule": serving.rule, "rows": rows}]}
    theirs = {"version": canary.version, "digest": canary.digest, "recalibration_epoch": None}
    parts = [
        {**champion, "rule": serving.rule, "rows": np.flatnonzero(~by_canary).tolist()},
        {**theirs, "rule": canary.rule, "rows": np.flatnonzero(by_canary).tolist()},
    ]
    said = [part for part in parts if part["rows"]]
    of_all = theirs if len(said) == 1 else dict.fromkeys(champion)
    return {"model": serving.model, **of_all, "answered_by": said}
