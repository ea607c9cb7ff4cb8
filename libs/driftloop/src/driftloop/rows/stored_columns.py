"""Which column of a table or file holds a feature.

A feature that a new version of its stream gave another type has a column for each: its own name keeps the first type's
values, ``<name>__<type>`` has the later ones. So a table has one schema, and no value is converted.
"""

import pyarrow as pa

from driftloop.contracts.evolution import retyped_column
from driftloop.contracts.schema import RESERVED
from driftloop.rows.schemas import holds_probabilities, kind_of


def stored_as(field: pa.Field, columns: pa.Schema) -> str | None:
    """The name under which ``columns`` hold this field; None when they do not have it, or not in this type."""
    if field.name in columns.names and (field.name in RESERVED or same_type(columns.field(field.name).type, field.type)):
        return str(field.name)
    later = later_column(field)
    return later.name if later is not None and later.name in columns.names else None


def later_column(field: pa.Field) -> pa.Field | None:
    """The column for a feature, or for class probabilities, whose name is taken by an earlier type; None for what is neither."""
    kind = "map" if holds_probabilities(pa.schema([field])) else kind_of(field.type)
    return None if kind is None or field.name in RESERVED else pa.field(retyped_column(field.name, kind), field.type)


def same_type(a: pa.DataType, b: pa.DataType) -> bool:
    """Other writers may have stored strings as one of Arrow's other kinds of string."""
    return bool(a == b or (_is_text(a) and _is_text(b)))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
