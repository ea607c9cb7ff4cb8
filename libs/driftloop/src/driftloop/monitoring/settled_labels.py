"""Which window of a stream has its labels by now: early ones are a biased sample of those to come. Pure.

Windows that lie long back tell what share of rows gets a label in the end. They are looked at in steps that double, so that
labels which need a thousand windows are seen to with a handful of looks; what lies between two looks is halved.
"""

from collections.abc import Callable

from driftloop.contracts.values import Window
from driftloop.monitoring.late_labels import SETTLED_SHARE, WindowLabels

MOST_BACK = 4096  # windows


def newest_settled(labels_of: Callable[[int], WindowLabels | None]) -> Window:
    """The newest window with SETTLED_SHARE of the share of labelled rows that the older half of the looked at, labelled windows
    have come to.

    ``labels_of(n)``: the window n before the newest one that has labels; None for one before all rows. It is asked some 25 times
    at most.
    """
    looked: dict[int, WindowLabels] = {}
    back = 0
    while back <= MOST_BACK and (found := labels_of(back)) is not None:
        looked[back] = found
        back = max(1, 2 * back)
    labelled = [found for found in looked.values() if found.labelled]
    older = labelled[len(labelled) // 2 :]
    coverage = sum(found.labelled for found in older) / sum(found.rows for found in older)

    def settled(found: WindowLabels | None) -> bool:
        return found is not None and found.labelled > 0 and found.labelled >= SETTLED_SHARE * coverage * found.rows

    high = min(n for n, found in looked.items() if settled(found))
    low = max((n for n in looked if n < high), default=high - 1)
    while high - low > 1:
        middle = (low + high) // 2
        between = labels_of(middle)
        if between is not None and settled(between):
            high, looked[middle] = middle, between
        else:
            low = middle
    return looked[high].window
