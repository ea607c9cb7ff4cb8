"""The one way to read a control topic: from its beginning to its end, and on."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from driftloop.errors import GapError, TransientError
from driftloop.history.checkpoint import Checkpoint, FoldedState
from driftloop.ports import MessageConsumer, Record, TopicPartition, Topics
from driftloop.telemetry import get_logger

POLLED = 2000  # records at most
POLL_SECONDS = 0.2
STORE_AT_END = 1000  # records since the last checkpoint; folding so many again takes less than a tenth of a second
STORE_ON_THE_WAY = 50_000  # so that a first start that is killed has come some way
BYTES_PER_RECORD = 4000  # written for a record folded, at most: a large state is stored less often

T = TypeVar("T")

log = get_logger(__name__)


class RecordFold(Protocol):
    """A state made of a log's records. One thread at a time changes it."""

    def fold(self, record: Record) -> None:
        """Fold one more record. Those of a partition come in order, each once; partitions come in no order among each other."""

    def passed(self, tp: TopicPartition, offset: int) -> None:
        """All records of ``tp`` below ``offset`` were folded: the last offsets before it are of no record, but of control markers
        or of aborted transactions. A log may end so."""

    def reset(self) -> None:
        """Forget everything: what comes next is the beginning."""

    def stored(self) -> bytes:
        """The whole state, for ``restore``."""

    def restore(self, stored: bytes) -> None:
        """Become what was stored. Raises ValueError when that is of another fold or cannot be read; it is reset then."""


class LogReader:
    """Folds the topics ``names``. For one thread at a time; connects when it is first used.

    These rules hold for every reader:

    - A reader that loses the broker raises TransientError and, when it is called again, goes on where it was.
    - A topic that was made anew (it has another id, or the offset to go on from is not in it) makes all start over: the
      fold is reset and every topic is read from its beginning. So what is known is always what the topics hold. ``sync``
      asks for the ids; ``read`` hears of them, at the latest with the consumer's next metadata.
      ``start_over=False`` is for a log that is never made anew in a sound system: it raises GapError, and keeps the fold.
    - With a ``checkpoint``, the fold is stored now and then with the ids and offsets that it stands for, and a start goes on
      from there. One that is damaged, of other code, or of topics that have been made anew since is not believed.
    - What a record means, whether it can be read, and what a second one with its id is, the fold knows: see ``events.Events``.
    """

    def __init__(
        self, topics: Topics, names: Sequence[str], fold: RecordFold, *, checkpoint: Checkpoint | None = None, start_over: bool = True
    ) -> None:
        self._topics, self._names, self._fold = topics, names, fold
        self._checkpoint, self._start_over = checkpoint, start_over
        self._consumer: MessageConsumer | None = None
        self._ids: Mapping[str, str] | None = None  # None: nothing was placed yet
        self._next: dict[TopicPartition, int] = {}
        self._unstored = self._stored_bytes = 0

    def sync(self, timeout_seconds: float = 30.0) -> None:
        """Return once all that the topics held at the time of the call is folded.

        Raises TransientError when the broker is away or nothing has come for so long, ConfigurationError when there is no
        such topic.
        """
        if not self.catch_up(timeout_seconds):
            raise TransientError(f"{' and '.join(self._names)} could not be read to the end: nothing came for {timeout_seconds:g} s")

    def catch_up(self, timeout_seconds: float) -> bool:
        """As ``sync``, but False when nothing has come for so long: the reader keeps its connection."""
        deadline = time.monotonic() + timeout_seconds
        while (reached := self._once(lambda consumer: self._read_to_end(consumer, timeout_seconds))) is None:
            if time.monotonic() > deadline:
                return False
        return reached

    def read(self, timeout_seconds: float) -> None:
        """Fold what is there, waiting so long for the first of it. Raises TransientError, ConfigurationError."""
        self._once(lambda consumer: self._read(consumer, timeout_seconds))

    def close(self) -> None:
        """The fold stays; a further call connects anew."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            _close(consumer)

    def _once(self, work: Callable[[MessageConsumer], T]) -> T | None:
        """None when a topic turned out to be made anew: the next connection starts over."""
        try:
            return work(self._connected())
        except GapError as exc:
            self.close()
            if not self._start_over:
                raise
            log.error("log-lost", reason=str(exc))
            return None
        except BaseException:
            self.close()
            raise

    def _read_to_end(self, consumer: MessageConsumer, timeout_seconds: float) -> bool:
        ends = consumer.end_offsets(list(self._next))
        self._check(ends)
        deadline = time.monotonic() + timeout_seconds
        while any(self._next[tp] < end for tp, end in ends.items()):
            if self._poll(consumer, POLL_SECONDS):
                deadline = time.monotonic() + timeout_seconds
            elif time.monotonic() > deadline:
                return False
            self._store(STORE_ON_THE_WAY)
        self._store(STORE_AT_END)
        return True

    def _read(self, consumer: MessageConsumer, timeout_seconds: float) -> None:
        more = self._poll(consumer, timeout_seconds)
        while more:
            self._store(STORE_ON_THE_WAY)
            more = self._poll(consumer, 0.0)
        self._store(STORE_AT_END)

    def _poll(self, consumer: MessageConsumer, timeout_seconds: float) -> bool:
        polled = consumer.poll(timeout_seconds, max_records=POLLED)
        for name, folded in (self._ids or {}).items():
            if (now := consumer.topic_id(name)) not in (None, folded):
                raise GapError(f"{name} was made anew: its id is {now}, it was {folded}")
        for tp, records in polled.items():
            for record in records:
                self._fold.fold(record)
                self._next[tp] = record.offset + 1
            self._unstored += len(records)
        for tp, offset in self._next.items():
            position = consumer.last_position(tp)
            if position is not None and position > offset:
                self._next[tp] = position
                self._fold.passed(tp, position)
        return bool(polled)

    def _connected(self) -> MessageConsumer:
        if self._consumer is None:
            known = self._topics.describe(self._names)
            tps = [TopicPartition(name, p) for name, info in known.items() for p in range(info.partitions)]
            consumer = self._topics.reader(tps)
            try:
                beginnings, ends = consumer.beginning_offsets(tps), consumer.end_offsets(tps)
                self._place({name: info.id for name, info in known.items()}, beginnings, ends)
                for tp in tps:
                    consumer.seek(tp, self._next.setdefault(tp, beginnings[tp]))
            except BaseException:
                _close(consumer)
                raise
            self._consumer = consumer
        return self._consumer

    def _check(self, ends: Mapping[TopicPartition, int]) -> None:
        """A connection that nobody has polled for a while has not heard of what became of its topics."""
        now = {name: info.id for name, info in self._topics.describe(self._names).items()}
        if reason := _lost(self._ids or now, self._next, now, dict.fromkeys(ends, 0), ends):
            raise GapError(reason)

    def _place(self, ids: Mapping[str, str], beginnings: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        if self._ids is None:
            self._restore(ids, beginnings, ends)
        elif reason := _lost(self._ids, self._next, ids, beginnings, ends):
            if not self._start_over:
                raise GapError(reason)
            log.error("log-lost", reason=reason, meaning="all is read from the beginning")
            self._fold.reset()
            self._next, self._unstored = {}, 0
        self._ids = ids

    def _restore(self, ids: Mapping[str, str], beginnings: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        found = self._checkpoint.load() if self._checkpoint is not None else None
        if found is None:
            return
        places = {TopicPartition(name, p): offset for name, offsets in found.next_offsets.items() for p, offset in offsets.items()}
        reason = _lost(found.topics, places, ids, beginnings, ends)
        if reason is None:
            try:
                self._fold.restore(found.state)
                self._next = places
            except ValueError as exc:
                self._fold.reset()
                reason = str(exc)
        log.info("checkpoint-restored" if reason is None else "checkpoint-discarded", topics=list(self._names), reason=reason)

    def _store(self, due: int) -> None:
        if self._checkpoint is None or self._ids is None or self._unstored < max(due, self._stored_bytes // BYTES_PER_RECORD):
            return
        self._unstored = 0
        offsets: dict[str, dict[int, int]] = {}
        for tp, offset in self._next.items():
            offsets.setdefault(tp.topic, {})[tp.partition] = offset
        try:
            self._stored_bytes = self._checkpoint.store(
                FoldedState(topics=dict(self._ids), next_offsets=offsets, state=self._fold.stored())
            )
        except OSError as exc:  # the next start folds more
            log.warning("checkpoint-not-stored", reason=str(exc))


def read_to_end(topics: Topics, names: Sequence[str], fold: RecordFold, timeout_seconds: float = 30.0) -> None:
    """Fold all that the topics hold now, once. Raises TransientError, ConfigurationError."""
    reader = LogReader(topics, names, fold)
    try:
        reader.sync(timeout_seconds)
    finally:
        reader.close()


def _lost(
    ids: Mapping[str, str],
    places: Mapping[TopicPartition, int],
    now: Mapping[str, str],
    beginnings: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> str | None:
    """Why reading cannot go on at ``places`` of the topics ``ids``."""
    if ids.keys() != now.keys():
        return f"it was folded from {', '.join(ids)}"
    for name, folded in ids.items():
        if now[name] != folded:
            return f"{name} was made anew: its id is {now[name]}, it was {folded}"
    for tp, offset in places.items():
        if tp not in ends or not beginnings[tp] <= offset <= ends[tp]:
            held = f"holds the offsets {beginnings[tp]} to {ends[tp]}" if tp in ends else "is not there any more"
            return f"{tp.topic}[{tp.partition}] {held}; {offset} was to be read next"
    return None


def _close(consumer: MessageConsumer) -> None:
    try:
        consumer.close()
    except TransientError as exc:
        log.warning("reader-not-closed", reason=str(exc))
