"""Requests of one partition that no range accounts for yet, cut into batches as they come in."""

from collections import deque
from collections.abc import Iterable

from driftloop.contracts.headers import WATERMARK, Headers, header, is_arrow
from driftloop.ports import Record
from driftloop.rows.inferences import MAX_OFFSETS

MAX_ROWS = 2000  # a pipeline costs some 3 ms a call, however few the rows: at 1,000 it is a quarter more CPU per row
MAX_BATCH_BYTES = 3 * 1024 * 1024  # of request values, so that the Arrow message fits with room to spare
MAX_SPAN = MAX_OFFSETS // 2  # from a batch's first offset to its last; as many again may lie before it
ARROW_ROW_BYTES = 64  # a guess at one row, to weigh an Arrow message whose rows are not counted yet


class Batch:
    """Requests that one inferences message will account for, in offset order."""

    def __init__(self, since: float) -> None:
        self.records: list[Record] = []
        self.since = since
        self.rows = 0  # JSON rows counted, those of Arrow messages guessed
        self.bytes = 0
        self.plain = True  # JSON rows only
        self.ended = False  # by a watermark

    def has_room_for(self, offset: int, rows: int, size: int) -> bool:
        if self.ended or not self.records:
            return not self.ended
        fits = self.rows + rows <= MAX_ROWS and self.bytes + size <= MAX_BATCH_BYTES
        return fits and offset - self.records[0].offset < MAX_SPAN

    def split(self) -> tuple["Batch", "Batch"]:
        """Two halves of a batch that was too large for one message."""
        middle = len(self.records) // 2
        first, second = Batch(self.since), Batch(self.since)
        for half, records in ((first, self.records[:middle]), (second, self.records[middle:])):
            half.records, half.plain, half.rows = records, self.plain, len(records)
            half.bytes = sum(len(r.value or b"") for r in records)
        second.ended = self.ended
        return first, second


class PartitionBuffer:
    """``next_offset`` is where the next range starts: the end of the last one."""

    def __init__(self, next_offset: int) -> None:
        self.next_offset = next_offset
        self.read_to = next_offset  # every request below it has been read, also where none are
        self._batches: deque[Batch] = deque()
        self._end = next_offset
        self.rows = 0
        self.bytes = 0

    def __len__(self) -> int:
        """Batches."""
        return len(self._batches)

    def take(self, records: Iterable[Record], now: float) -> None:
        """Those not held or accounted for already, so that taking them twice is harmless."""
        open_batch = self._batches[-1] if self._batches else None
        headers: Headers | None = None
        arrow = ends = False
        for record in records:
            if record.offset < self._end:
                continue
            self._end = record.offset + 1
            size = len(record.value) if record.value else 0
            if record.headers is not headers:  # records in a row have the very same ones, mostly
                headers = record.headers
                arrow, ends = is_arrow(headers), header(headers, WATERMARK) is not None
            rows = max(1, size // ARROW_ROW_BYTES) if arrow else 1
            if open_batch is None or not open_batch.has_room_for(record.offset, rows, size):
                open_batch = Batch(now)
                self._batches.append(open_batch)
            open_batch.records.append(record)
            open_batch.rows += rows
            open_batch.bytes += size
            open_batch.plain = open_batch.plain and not arrow and not ends
            open_batch.ended = ends
            self.rows += rows
            self.bytes += size

    def first_offset(self) -> int | None:
        """Of the oldest request; None without one."""
        return self._batches[0].records[0].offset if self._batches else None

    def first(self) -> Batch:
        """The oldest batch, of some."""
        return self._batches[0]

    def passed_to(self, position: int) -> None:
        """Offsets below it that brought no request have none."""
        self.read_to = max(self.read_to, position)

    def due(self, now: float, max_age_seconds: float) -> bool:
        if not self._batches:
            return False
        first = self._batches[0]
        return len(self._batches) > 1 or first.ended or first.rows >= MAX_ROWS or now - first.since >= max_age_seconds

    def cut(self) -> Batch:
        """The oldest batch, taken out."""
        batch = self._batches.popleft()
        self.rows -= batch.rows
        self.bytes -= batch.bytes
        return batch

    def put_back(self, batch: Batch) -> None:
        self._batches.appendleft(batch)
        self.rows += batch.rows
        self.bytes += batch.bytes
