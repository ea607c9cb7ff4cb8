import pytest
from tests.support.lossy_proxy import lossy_proxy
from tests.support.servers import s3_settings
from tests.support.traffic import small_schema

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import lake_schema


@pytest.fixture
def settings(s3):
    return s3_settings(s3)


@pytest.fixture
def store(settings):
    return MinioObjectStore(settings)


@pytest.fixture
def schema(unique):
    return small_schema(f"l-{unique}")


@pytest.fixture
def open_table(settings, schema):
    """Each call is a handle of its own, as another process would have it."""

    def opened(name="inferences", *, through=settings, version=None):
        wanted = lake_schema(schema, name) if version is None else None
        return LakeTable.open(through, schema.stream, name, wanted, version=version)

    return opened


@pytest.fixture
def proxy(s3):
    with lossy_proxy(s3.endpoint) as running:
        yield running
