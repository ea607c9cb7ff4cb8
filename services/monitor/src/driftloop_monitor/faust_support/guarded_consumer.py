"""The consumer that goes on from the tables instead of Kafka's offsets."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer

from driftloop.errors import GapError, TransientError
from driftloop.service.accepted_gaps import WAY_ON
from driftloop.telemetry import get_logger
from driftloop_monitor.faust_support.durable_table import DurableTable
from driftloop_monitor.faust_support.failure import Failure
from driftloop_monitor.faust_support.records import read_so

read_so()

log = get_logger(__name__)


class _NotRemembered(defaultdict[Any, Any]):
    """faust's read offsets, without those of guarded topics."""

    def __init__(self, topics: Container[str]) -> None:
        super().__init__(lambda: None)
        self._topics = topics

    def __getitem__(self, tp: Any) -> Any:
        return None if tp.topic in self._topics else super().__getitem__(tp)


class _ReadingCommitted(AIOKafkaConsumerThread):
    """faust reads what transactions have aborted, unless it writes in transactions itself; ingest reads only what they committed."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer


# By topic and partition, where to go on from an offset whose messages are gone, up to the earliest that is there.
AfterGaps = Callable[[str, int, int, int], int]


def guarded_consumer(guards: Mapping[str, DurableTable], failure: Failure, after_gaps: AfterGaps) -> type[Consumer]:
    """A consumer that seeks to the tables' offsets after every recovery, and commits nothing beyond them.

    faust may have committed further than its changelog got: it acknowledges what it throws away in a rebalance. Seeking
    from inside an agent does not work, since what is read again is then dropped as already read.
    """

    class GuardedConsumer(Consumer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            # faust drops what lies before the last offset it handed out, and sets that after our seek if a message was on
            # its way then; the folds know themselves what they have seen.
            self._read_offset = _NotRemembered(guards)

        def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
            return _ReadingCommitted(self, loop=self.loop, beacon=self.beacon)

        async def perform_seek(self) -> None:
            await super().perform_seek()
            mine = [tp for tp in self.assignment() if tp.topic in guards]
            if not mine:
                return
            places: dict[Any, int] = {}
            for tp, earliest in (await self.earliest_offsets(*mine)).items():
                stored = guards[tp.topic].recovered(tp.partition)
                places[tp] = earliest if stored is None else stored
                if places[tp] < earliest:
                    places[tp] = await self._after_gaps(tp, places[tp], earliest)
                guards[tp.topic].place(tp.partition, places[tp])
            await self.seek_wait(places)  # in the consumer's own thread
            for tp, offset in places.items():
                self._committed_offset[tp] = offset
                for forgotten in (self._acked, self._acked_index, self._gap):
                    forgotten.pop(tp, None)  # acknowledged, but perhaps never handled
            log.info("partitions-placed", offsets={f"{tp.topic}[{tp.partition}]": offset for tp, offset in sorted(places.items())})

        def _new_offset(self, tp: Any) -> int | None:
            """The table's offset, not the end of an unbroken run of messages: there may be offsets without one."""
            if tp.topic not in guards:
                offset: int | None = super()._new_offset(tp)
                return offset
            durable = guards[tp.topic].durable(tp.partition)
            done = [acked for acked in self._acked[tp] if acked < durable]
            if not done:
                return None
            self._acked[tp][:] = [acked for acked in self._acked[tp] if acked >= durable]
            self._acked_index[tp].difference_update(done)
            return durable

        async def _after_gaps(self, tp: Any, offset: int, earliest: int) -> int:
            """Where to go on when the messages from ``offset`` on are gone and given up; otherwise it does not return."""
            try:
                place = await asyncio.to_thread(after_gaps, tp.topic, tp.partition, offset, earliest)
            except TransientError as exc:
                await failure.halt(exc)
            if place < earliest:
                lost = f"{tp.topic}-{tp.partition}: messages {offset} to {earliest - 1} expired before they were read; {WAY_ON}"
                await failure.halt(GapError(lost))
            log.warning("gap-passed", topic=tp.topic, partition=tp.partition, start=offset, end=place)
            return place

        def _filter_committable_offsets(self, tps: Iterable[Any]) -> dict[Any, int]:
            committable: dict[Any, int] = super()._filter_committable_offsets(tps)
            return {
                tp: offset
                for tp, offset in committable.items()
                if tp.topic not in guards or offset <= guards[tp.topic].durable(tp.partition)
            }

    return GuardedConsumer
