"""The event time as one more column of a model's input: of recipes with ``+time``, in training and in production."""

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from driftloop.rows.schemas import TIME

EVENT_TIME = "event_time"  # no feature is called so
_MICROSECONDS_A_DAY = 86_400_000_000


def event_days(table: pa.Table | pa.RecordBatch) -> npt.NDArray[np.float64]:
    """(n,): the event time in days since 1970-01-01 UTC, with fraction, as the part ``epoch_days`` of a time has it.

    Rows without an event time happen now.
    """
    now = pa.scalar(datetime.now(UTC), TIME)
    given = EVENT_TIME in table.schema.names
    times = table.column(EVENT_TIME).fill_null(now) if given else pa.repeat(now, table.num_rows)
    return times.cast(pa.int64()).to_numpy(zero_copy_only=False) / _MICROSECONDS_A_DAY  # type: ignore[no-any-return]


def with_event_time(frame: pd.DataFrame, days: npt.NDArray[np.float64]) -> pd.DataFrame:
    """The features and, last, the event time."""
    return frame.assign(**{EVENT_TIME: days})
