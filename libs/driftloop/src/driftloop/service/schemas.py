"""The schema registry that a service was told of."""

from driftloop.adapters.schema_registry import SchemaRegistry
from driftloop.ports import Schemas
from driftloop.service.settings import ServiceSettings


def schemas_of(settings: ServiceSettings) -> Schemas | None:
    """None when there is none. Asks nobody."""
    return SchemaRegistry(settings.schema_registry) if settings.schema_registry is not None else None
