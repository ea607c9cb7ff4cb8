"""Messages on ``<stream>.inferences``, written as the predictor writes them."""

from collections.abc import Iterator

import pyarrow as pa

from driftloop.contracts.headers import ARROW, CONTENT_TYPE, Headers, RequestRange, range_header
from driftloop.ports import MessageProducer
from driftloop.rows.arrow_stream import encode_table

ROWS_PER_MESSAGE = 1_000
REQUESTS_ID = "bench-requests"


class InferenceWriter:
    """Sends tables of ``ROWS_PER_MESSAGE`` rows, each accounting for as many requests of its partition."""

    def __init__(self, producer: MessageProducer, topic: str, partitions: int) -> None:
        self._producer, self._topic = producer, topic
        self._next = dict.fromkeys(range(partitions), 0)
        self._turn = 0

    def send(self, rows: pa.Table) -> None:
        """To the partitions in turn; returns when the broker holds them."""
        for part in slices(rows):
            partition = self._turn % len(self._next)
            self._turn += 1
            value, headers = self._message(part, partition)
            self._producer.send(self._topic, value, partition=partition, headers=headers)
        self._producer.flush()

    def _message(self, rows: pa.Table, partition: int) -> tuple[bytes, Headers]:
        start = self._next[partition]
        end = self._next[partition] = start + rows.num_rows
        column = rows.schema.get_field_index("request_offset")
        rows = rows.set_column(column, rows.schema.field(column), pa.array(range(start, end), pa.int64())).combine_chunks()
        covered = RequestRange(topic_id=REQUESTS_ID, partition=partition, start=start, end=end)
        return encode_table(rows), ((CONTENT_TYPE, ARROW.encode()), range_header(covered))


def slices(rows: pa.Table) -> Iterator[pa.Table]:
    for at in range(0, rows.num_rows, ROWS_PER_MESSAGE):
        yield rows.slice(at, ROWS_PER_MESSAGE)
