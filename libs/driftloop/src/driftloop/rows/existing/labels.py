"""Labels on a topic that is not ours, as rows of ``label_schema``."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.existing_topics import TIMESTAMP, Source, TopicMapping
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record, Schemas
from driftloop.rows.existing.kinds import Column
from driftloop.rows.existing.records import MappedRecords
from driftloop.rows.labels import LabelRows
from driftloop.rows.limits import check_times
from driftloop.rows.schemas import TIME, label_schema


class ExistingLabels:
    """Keeps ``rows.labels.Labels``. Every record is one label, whatever its headers say; a label time that is null, or that the mapping
    does not name, is the record's timestamp. Raises ConfigurationError when a schema registry is needed and there is none."""

    def __init__(self, schema: StreamSchema, mapping: TopicMapping, schemas: Schemas | None) -> None:
        self._schema = label_schema(schema)
        self._records = MappedRecords(mapping, label_columns(schema, mapping), schemas)

    def decode(self, record: Record) -> pa.Table:
        """Raises InvalidMessage, and as ``decode_batch``."""
        found = self.decode_batch([record])
        if found.rejected:
            raise InvalidMessage(found.rejected[0][1])
        return found.rows

    def decode_batch(self, records: Sequence[Record]) -> LabelRows:
        """Raises TransientError while the schema registry does not answer, ConfigurationError when it refuses this client."""
        columns, accepted, rejected = self._records.read(records)
        times = columns["label_time"]
        if times.null_count:
            sent = pc.multiply_checked(pa.array([records[i].timestamp_ms for i in accepted], pa.int64()), 1000).cast(TIME)
            columns["label_time"] = times = pc.coalesce(times, sent)
            check_times(times, "label_time")
        rows = pa.Table.from_arrays([columns[name] for name in self._schema.names], schema=self._schema)
        return LabelRows(rows, [records[i].offset for i in accepted], [(records[i], why) for i, why in rejected])

    def is_table(self, record: Record) -> bool:
        return False


def label_columns(schema: StreamSchema, mapping: TopicMapping) -> list[Column]:
    """What is looked for in a label."""
    named = mapping.columns
    return [
        Column("event_id", "id", named["event_id"], needed=True),
        Column("event_time", "datetime", named["event_time"], needed=True),
        Column("label", schema.target.type, named["label"], needed=True),
        Column("label_time", "datetime", named.get("label_time", Source(path=TIMESTAMP)), declared="label_time" in named),
    ]
