"""Event times in windows: a window of the project is one long, however long it lasts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from driftloop.contracts.windows import WindowPlan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def window_places(times: npt.NDArray[np.int64], plan: WindowPlan) -> npt.NDArray[np.float64]:
    """Where event times, in microseconds since 1970, lie: ``i`` is the start of a plan's window i, ``i + 0.5`` its middle.

    Cuts need not be equally far apart; what is before the first or after the last counts in windows of their mean length.
    """
    if plan.every is not None:
        every = plan.every // _MICROSECOND
        whole, rest = np.divmod(times, every)
        return np.asarray(whole + rest / every)
    cuts = np.array([(cut - _EPOCH) // _MICROSECOND for cut in plan.cuts], dtype=np.int64)
    mean = (cuts[-1] - cuts[0]) / (len(cuts) - 1)
    inside = np.interp(times, cuts, np.arange(len(cuts)))
    before, after = np.minimum(times - cuts[0], 0) / mean, np.maximum(times - cuts[-1], 0) / mean
    return np.asarray(inside + before + after)
