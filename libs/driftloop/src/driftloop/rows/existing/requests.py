"""Requests on a topic that is not ours, as rows of ``request_schema``."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.existing_topics import KEY, Source, TopicMapping
from driftloop.contracts.schema import StreamSchema
from driftloop.errors import InvalidMessage
from driftloop.ports import Record, Schemas
from driftloop.rows.existing.kinds import Column
from driftloop.rows.existing.records import MappedRecords
from driftloop.rows.limits import MAX_ID_BYTES
from driftloop.rows.requests import DecodedRows, RequestRows
from driftloop.rows.schemas import request_schema


class ExistingRequests:
    """Keeps ``rows.requests.Requests``. Every record is one row, whatever its headers say.

    An entity that is null, or that the mapping does not name, is the record's key as text, else the event id. Raises
    ConfigurationError when a schema registry is needed and there is none.
    """

    def __init__(self, schema: StreamSchema, mapping: TopicMapping, schemas: Schemas | None) -> None:
        self.schema = request_schema(schema)
        self._records = MappedRecords(mapping, request_columns(schema, mapping), schemas)

    def decode(self, record: Record) -> RequestRows:
        """Raises InvalidMessage, and as ``decode_records``."""
        found = self.decode_records([record])
        if found.rejected:
            raise InvalidMessage(found.rejected[0][1])
        return RequestRows(found.rows, 0)

    def decode_records(self, records: Sequence[Record]) -> DecodedRows:
        """Raises TransientError while the schema registry does not answer, ConfigurationError when it refuses this client."""
        columns, accepted, rejected = self._records.read(records)
        entities, ids = columns["entity"], columns["event_id"]
        if entities.null_count:
            columns["entity"] = pc.coalesce(entities, pa.array([_key(records[i].key) for i in accepted], pa.string()), ids)
        table = pa.Table.from_arrays([columns[name] for name in self.schema.names], schema=self.schema)
        return DecodedRows(table, accepted, rejected, 0)

    def is_table(self, record: Record) -> bool:
        return False


def request_columns(schema: StreamSchema, mapping: TopicMapping) -> list[Column]:
    """What is looked for in a request."""
    named = mapping.columns
    entity = named.get("entity", Source(path=KEY))
    return [
        Column("event_id", "id", named["event_id"], needed=True),
        Column("event_time", "datetime", named["event_time"], needed=True),
        Column("entity", "id", entity, declared=not entity.is_word),
        *(Column(feature.name, feature.type, named[feature.name], declared=feature.required) for feature in schema.features),
    ]


def _key(key: bytes | None) -> str | None:
    if not key or len(key) > MAX_ID_BYTES:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None
