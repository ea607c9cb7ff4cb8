import pytest
from tests.support.ingest_process import IngestWorld
from tests.support.traffic import Traffic

from driftloop.adapters.memory import MemoryBroker
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.settings import S3Settings


@pytest.fixture
def s3_settings(s3):
    return S3Settings(endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key)


@pytest.fixture
def store(s3_settings):
    return MinioObjectStore(s3_settings)


@pytest.fixture
def stream(unique):
    return f"t-{unique}"


@pytest.fixture
def broker(stream):
    """A broker in memory with the stream's topics, two partitions each."""
    broker = MemoryBroker()
    for topic in ("inferences", "labels", "quarantine"):
        broker.create_topic(f"{stream}.{topic}", 2)
    broker.create_topic("dataset-versions", 1)
    return broker


@pytest.fixture
def traffic(broker, stream):
    return Traffic(broker.producer(), stream)


@pytest.fixture
def world(kafka_bootstrap, s3, unique, tmp_path):
    made = IngestWorld(kafka_bootstrap, s3, f"i{unique}", tmp_path)
    yield made
    made.producer.close()
