"""Where a partition ends for somebody who counts records: control markers and aborted records behind the last one are offsets too."""

import time
from collections.abc import Mapping

from driftloop.ports import MessageConsumer, TopicPartition

PATIENCE_SECONDS = 5.0


def ends_of_records(consumer: MessageConsumer, cursors: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    """The end of each partition, or its cursor where no record lies between the two; so equal means that nothing is unread.

    ``consumer`` is assigned the partitions, and is left paused and anywhere in them. Raises TransientError.
    """
    tps = list(cursors)
    ends, beginnings = consumer.end_offsets(tps), consumer.beginning_offsets(tps)
    unsure = {tp for tp in tps if cursors[tp] < ends[tp]}
    consumer.pause([tp for tp in tps if tp not in unsure])
    for tp in tps:
        consumer.seek(tp, max(cursors[tp], beginnings[tp]) if tp in unsure else ends[tp])
    consumer.resume(list(unsure))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while unsure and time.monotonic() < deadline:
        unread = {tp for tp, records in consumer.poll(0.2, max_records=1).items() if records}
        for tp in unsure - unread:
            if consumer.position(tp) >= ends[tp]:
                ends[tp] = cursors[tp]
                unread.add(tp)
        unsure -= unread
        consumer.pause(list(unread))
    return ends
