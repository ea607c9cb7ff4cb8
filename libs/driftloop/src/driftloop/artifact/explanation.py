"""Why a row got the score that it got: each input in turn is replaced by values of the training data, and the score is asked again.

The method is occlusion by reference values: of one row, and of what the model does with it. Of inputs that say the same each alone may
count for little, and a pair of values that replacement makes may be one that never occurs: it says nothing about causes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from driftloop.artifact.event_time import event_days, with_event_time
from driftloop.artifact.scoring import Scorer, to_frame
from driftloop.contracts.values import Part
from driftloop.statistics.metrics import ModelOutput
from driftloop.statistics.profile import Column, Profile

METHOD = "occlusion by reference values"
REFERENCES = 32  # values of the training data that stand for a column
_MISSING = None

Value = float | str | None


class Contribution(Part, frozen=True, kw_only=True):
    """``change``: the score less its mean over the reference values of this input, so what the row's own value has added; ``least`` and
    ``most``: the score's extent over them."""

    input: str
    value: str | None
    change: float
    least: float
    most: float


class Explanation(Part, frozen=True, kw_only=True):
    """``score``: the model's own, before any correction: P(true), P(the class that it predicts) (``of``), or the number predicted.
    ``contributions``: the largest first. ``unknown``: inputs that the profile has no values of, or that the model has no answer for."""

    method: str
    score: float
    of: str | None
    references: int
    contributions: tuple[Contribution, ...]
    unknown: tuple[str, ...]


def explain(scorer: Scorer, profile: Profile, row: pa.Table) -> Explanation:
    """Of a table of one row, with an event time where the model takes one. Raises what the pipeline raises for the row itself."""
    frame = to_frame(row, scorer.schema)
    days = event_days(row)
    score, of = _score(scorer, _with_time(scorer, frame, days))
    named = {name: reference_values(profile.columns[name]) for name in frame.columns if name in profile.columns}
    found, unknown = [], [str(name) for name in frame.columns if not named.get(name)]
    for name, values in named.items():
        if not values:
            continue
        try:
            scores = _scores(scorer, _with_time(scorer, replaced(frame, name, values), np.repeat(days, len(values))), of)
        except Exception:  # noqa: BLE001  a stranger's pipeline raises anything
            unknown.append(name)
            continue
        known = scores[np.isfinite(scores)]
        if not len(known):
            unknown.append(name)
            continue
        change, least, most = float(score - known.mean()), float(known.min()), float(known.max())
        found.append(Contribution(input=name, value=_shown(frame[name]), change=change, least=least, most=most))
    return Explanation(
        method=METHOD,
        score=score,
        of=of,
        references=REFERENCES,
        contributions=tuple(sorted(found, key=lambda one: (-abs(one.change), one.input))),
        unknown=tuple(unknown),
    )


def reference_values(column: Column, most: int = REFERENCES) -> list[Value]:
    """As many values of the training data as ``most``, each as often as it was there: quantiles of a histogram, in its order. None is
    a missing value. Empty: nothing was counted."""
    counts = column.reference.copy()
    if column.kind == "ordered":
        values: list[Value] = [_MISSING, column.low, *_middles(column), column.uppers[-1] if column.uppers else column.low]
    else:
        values = [_MISSING, *column.categories, _MISSING]
        counts[-1] = 0  # rare categories, of which the names are not kept
    total = int(counts.sum())
    if total == 0:
        return []
    ranks = (np.arange(min(most, total)) + 0.5) * total / min(most, total)
    return [values[at] for at in np.searchsorted(np.cumsum(counts), ranks, side="right")]


def replaced(frame: pd.DataFrame, name: str, values: list[Value]) -> pd.DataFrame:
    """The frame's row as often as there are values, with one of them each under ``name``; columns keep their types."""
    repeated = pd.concat([frame] * len(values), ignore_index=True)
    kind = frame[name].dtype
    if isinstance(kind, pd.CategoricalDtype):
        repeated[name] = pd.Categorical([None if value is None else str(value) for value in values])
    elif isinstance(kind, pd.DatetimeTZDtype):
        repeated[name] = pd.to_datetime(pd.Series(values, dtype="float64"), unit="s", utc=True).astype(kind)
    else:
        repeated[name] = np.array([np.nan if value is None else float(value) for value in values])
    return repeated


def _middles(column: Column) -> list[float]:
    lowers = (column.low, *column.uppers)[:-1]
    whole = _whole(column.uppers)
    return [upper if whole else (lower + upper) / 2 for lower, upper in zip(lowers, column.uppers, strict=True)]


def _whole(uppers: tuple[float, ...]) -> bool:
    """Whether the bounds are values themselves: of counts, codes and booleans a value between two is none."""
    return all(float(upper).is_integer() for upper in uppers)


def _with_time(scorer: Scorer, frame: pd.DataFrame, days: npt.NDArray[np.float64]) -> pd.DataFrame:
    return with_event_time(frame, days) if scorer.needs_event_time else frame


def _score(scorer: Scorer, frame: pd.DataFrame) -> tuple[float, str | None]:
    output = scorer.raw(frame)
    of = str(output.predictions[0]) if output.probabilities is not None else None
    return float(_of(output, of)[0]), of


def _scores(scorer: Scorer, frame: pd.DataFrame, of: str | None) -> npt.NDArray[np.float64]:
    output, answered = scorer.answers(frame)
    return np.where(answered, _of(output, of), np.nan)


def _of(output: ModelOutput, of: str | None) -> npt.NDArray[np.float64]:
    """Of several classes the probability of the one that the row's prediction is."""
    if of is None or output.probabilities is None:
        return np.asarray(output.scores, dtype=np.float64)
    found: npt.NDArray[np.float64] = output.probabilities[:, output.classes.index(of)]
    return found


def _shown(column: "pd.Series[Any]") -> str | None:
    value: Any = column.iloc[0]
    return None if bool(column.isna().iloc[0]) else f"{value:.6g}" if isinstance(value, float) else str(value)
