"""When a label became known: not later than its message reached the broker.

Of several labels of one event the one that became known last counts, so a time that is yet to come would beat every later
correction. Ingest therefore takes no label time up that lies more than ``SKEW`` after the record's own. Labels that were taken
up before it did so keep the time that they came with; of those, the ones that are dated after that rule began cannot be
right, and count as undated: any dated label of the event is preferred.
"""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.lake.cursors import Uncapped, app_id
from driftloop.rows.schemas import TIME

SKEW = timedelta(minutes=5)  # by which a producer's clock may be ahead of the broker's
UNDATED = "$undated"  # column of label rows; no feature's name has a dollar
UNDATED_FIELD = pa.field(UNDATED, pa.bool_(), nullable=False)


def capped(label_times: pa.ChunkedArray, sent: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each label time, or the time its record was sent (by the broker's clock, or null) plus the skew, whichever is earlier."""
    latest = pc.add(sent, pa.scalar(SKEW, pa.duration("us"))).cast(TIME)
    return pc.if_else(pc.fill_null(pc.greater(label_times, latest), False), latest, label_times)


def undated(rows: pa.Table, uncapped: Uncapped, topic_id: str | None) -> pa.ChunkedArray:
    """Which label rows of one file are dated wrongly. ``topic_id``: the file's; without one, any cursor of the partition counts."""
    late = pc.greater(rows.column("label_time"), pa.scalar(uncapped.until, TIME))
    wrong = pa.chunked_array([pa.array([False] * rows.num_rows, pa.bool_())])
    if not pc.any(late, min_count=0).as_py():
        return wrong
    for cursor, end in uncapped.ends.items():
        partition = int(cursor.rpartition("/")[2])
        if topic_id is None or cursor == app_id(topic_id, partition):
            here = pc.and_(pc.equal(rows.column("partition"), partition), pc.less(rows.column("offset"), end))
            wrong = pc.or_(wrong, here)
    return pc.and_(late, wrong)
