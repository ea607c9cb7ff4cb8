"""A canary: a version that answers a share of the entities instead of the champion. The rule of each row, and what it came to."""

import re
from typing import Literal, NamedTuple

from driftloop.contracts.canary_steps import share_text
from driftloop.contracts.values import Count, Part, RowCount, Window

MOST_WINDOWS = 200  # that a verdict is based on
KEPT_WINDOWS = 24  # of them, in a record

# The column beside a row's prediction: which rule gave it its version; null without a model, of another system's answer, and in messages
# of programs that did not record it. Streams with a feature of that name do not have it: ``StreamSchema.has_version_rule``.
VERSION_RULE = "version_rule"
CANARY = "canary "  # how the rule of a row that a canary answers begins

Move = Literal["begin", "next", "end", "judge"]
CanaryState = Literal["begun", "next", "stepped-back", "stopped", "completed"]

_BESIDE = r"(?: beside canary [0-9.]+ %@(?P<beside>[0-9]{1,18}))?"
_RULE = re.compile(rf"champion@(?P<champion>[0-9]{{1,18}}){_BESIDE}|canary [0-9.]+ %@(?P<epoch>[0-9]{{1,18}})")


class Rule(NamedTuple):
    """Which rule gave a row its version. ``kind``: who answered. ``epoch``: of the canary's record; None: there was none.
    ``champion_epoch``: of the champion's alias; None where the canary answered."""

    kind: Literal["champion", "canary"]
    epoch: int | None
    champion_epoch: int | None

    @classmethod
    def read(cls, text: str) -> "Rule | None":
        """None: no such rule; whoever may write rows may write anything."""
        found = _RULE.fullmatch(text)
        if found is None:
            return None
        if found["epoch"] is not None:
            return cls("canary", int(found["epoch"]), None)
        beside = found["beside"]
        return cls("champion", None if beside is None else int(beside), int(found["champion"]))


def champion_rule(champion_epoch: int, share: int | None = None, epoch: int | None = None) -> str:
    """Of a row that the champion answers; ``share`` and ``epoch`` of the canary beside it."""
    alone = f"champion@{champion_epoch}"
    return alone if share is None else f"{alone} beside {canary_rule(share, epoch or 0)}"


def canary_rule(share: int, epoch: int) -> str:
    return f"{CANARY}{share_text(share)}@{epoch}"


class CanaryWindow(Part, frozen=True, kw_only=True):
    """What a canary's answers lost in one window beside the champion's in the same time, by the bounded loss of ``docs/harm.md``.

    ``epoch``: of the canary's record that shared the rows out. ``rows`` and ``champion_rows``: labelled ones that were compared, of
    each side. ``difference``: mean loss of the canary less the champion's, in [−1, 1]; ``error``: its standard error, entities drawn.
    ``paired``: both answered the same rows, the canary in the shadow of the champion.
    """

    window: Window
    version: Count
    epoch: Count
    rows: RowCount
    champion_rows: RowCount
    difference: float
    error: float
    paired: bool = False
