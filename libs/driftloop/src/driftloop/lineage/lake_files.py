"""Live inferences files with what their statistics say, read without the rest of the lake's machinery: a trace has a second."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
from deltalake import DeltaTable

from driftloop.lake.delta import delta_options, open_delta, store_errors
from driftloop.lineage.arrow_values import plain_values
from driftloop.settings import S3Settings


class LiveFile(NamedTuple):
    """A file below its table's root; the bounds are null where a column has none."""

    path: str
    size: int
    rows: int | None
    first_id: str | None
    last_id: str | None
    start: datetime | None
    end: datetime | None
    first_version: int | None
    last_version: int | None
    unscored: int | None


_COLUMNS = (
    "path",
    "size_bytes",
    "num_records",
    "min.event_id",
    "max.event_id",
    "min.event_time",
    "max.event_time",
    "min.model_version",
    "max.model_version",
    "null_count.model_version",
)


def open_inferences(s3: S3Settings, stream: str) -> DeltaTable:
    """Raises ObjectNotFound when nothing was ingested yet, TransientError."""
    return open_delta(s3.table_uri(stream, "inferences"), delta_options(s3))


def live_files(delta: DeltaTable, uri: str) -> list[LiveFile]:
    """In path order. Raises TransientError."""
    with store_errors(uri):
        actions = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()  # pa.table() loads pandas
    n = actions.num_rows
    columns = [plain_values(actions.column(name)) if name in actions.column_names else [None] * n for name in _COLUMNS]
    return sorted((LiveFile(*row) for row in zip(*columns, strict=True)), key=lambda file: file.path)


def may_hold(files: Sequence[LiveFile], event_id: str, time: datetime | None) -> list[LiveFile]:
    """Those whose statistics do not rule the event out. Ids that begin with their time, or count up, rule out nearly all files;
    random ones none, and then the event's time does."""

    def can(file: LiveFile) -> bool:
        if file.first_id is not None and file.last_id is not None and not file.first_id <= event_id <= file.last_id:
            return False
        return time is None or file.start is None or file.end is None or file.start <= time <= file.end

    return [file for file in files if can(file)]
