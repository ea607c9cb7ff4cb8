"""Labels that land after their window was decided: how many are new, and which window's labels are complete enough to judge on. Pure.

A decision is made soon after its window closed. Where labels need longer than that, they are counted by the decisions that
follow, once each, and a request names an earlier window.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from driftloop.contracts.events import DecisionMade
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, RowCount, Window

SETTLED_SHARE = 0.8  # of the labels that windows get in the end


class WindowLabels(Part, frozen=True, kw_only=True):
    """Rows of one window, and how many of them have a label by now."""

    window: Window
    rows: RowCount
    labelled: RowCount


class CountedLabels(Part, frozen=True, kw_only=True):
    """Labels of a decided window: ``at_decision``, and by the newest decision that counted any of them."""

    at_decision: int
    counted: int


class _Counts(Part, frozen=True, kw_only=True):
    """What a decision's evidence says about labels, of any release."""

    labelled: int
    late: tuple[WindowLabels, ...] = ()


def late_of(decision: DecisionMade) -> tuple[WindowLabels, ...]:
    """The windows whose labels a retrain decision counted beside those of its own."""
    return msgspec.convert(decision.evidence, prepared(_Counts)).late


def counted_labels(decisions: Iterable[DecisionMade], before: Mapping[Window, int] = MappingProxyType({})) -> dict[Window, CountedLabels]:
    """By window, of retrain decisions in window order. ``before``: labels of some of these windows as other decisions, which came
    before those that say more, counted them last."""
    found: dict[Window, CountedLabels] = {}
    for decision in decisions:
        if decision.window is None:
            continue
        evidence = msgspec.convert(decision.evidence, prepared(_Counts))
        found[decision.window] = CountedLabels(at_decision=evidence.labelled, counted=before.get(decision.window, evidence.labelled))
        for late in evidence.late:
            if late.window in found:
                found[late.window] = msgspec.structs.replace(found[late.window], counted=late.labelled)
    return found


def late_labels(now: Iterable[WindowLabels], counted: Mapping[Window, CountedLabels]) -> tuple[WindowLabels, ...]:
    """The decided windows that have more labels now than any decision has counted."""
    return tuple(each for each in now if each.window in counted and each.labelled > counted[each.window].counted)


def window_to_judge_on(closed: Window, now: Sequence[WindowLabels], counted: Mapping[Window, CountedLabels]) -> Window:
    """The newest window whose labels are all but complete: ``closed``, the one that is being decided, wherever labels land with
    their window. ``now``: earlier windows, oldest first.

    They do where the windows of before had SETTLED_SHARE of their labels when they were decided. Else it is the newest
    window with so much of the share of labelled rows that the older half of the labelled windows has come to.
    """
    labelled = [each for each in now if each.window in counted and each.labelled]
    in_the_end = sum(each.labelled for each in labelled)
    in_time = sum(min(each.labelled, counted[each.window].at_decision) for each in labelled)
    if in_time >= SETTLED_SHARE * in_the_end:  # also where nothing is known yet
        return closed
    older = labelled[: (len(labelled) + 1) // 2]
    coverage = sum(each.labelled for each in older) / sum(each.rows for each in older)
    return next(each.window for each in reversed(labelled) if each.labelled >= SETTLED_SHARE * coverage * each.rows)
