"""What a service refuses to start with, and what it tells the person who has to put it right."""

import msgspec
import pytest
from tests.integration.startup.careless_store import careless_store
from tests.support.clients import create_topic

from driftloop.adapters.kafka import create_topics
from driftloop.adapters.s3 import MinioObjectStore, ensure_bucket
from driftloop.contracts.services import INGEST, PREDICTOR, RIGHTS, SERVICES
from driftloop.contracts.topics import stream_topics
from driftloop.errors import ConfigurationError, TransientError
from driftloop.service.checks import check_store, check_surroundings, check_surroundings_but_for_a_silent_store
from driftloop.service.settings import StoreSettings, store_settings
from driftloop.settings import S3Settings


@pytest.fixture
def settings(kafka_bootstrap, s3, tmp_path) -> StoreSettings:
    (tmp_path / "access").write_text(s3.access_key)
    (tmp_path / "secret").write_text(s3.secret_key)
    given = {
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "S3_ENDPOINT": s3.endpoint,
        "S3_BUCKET": s3.bucket,
        "S3_REGION": s3.region,
        "S3_ACCESS_KEY_FILE": str(tmp_path / "access"),
        "S3_SECRET_KEY_FILE": str(tmp_path / "secret"),
        "HTTP_PORT": "8080",
        "STATE_DIR": str(tmp_path),
    }
    settings = store_settings(INGEST, {f"DRIFTLOOP_INGEST_{name}": value for name, value in given.items()})
    ensure_bucket(settings.s3)
    return settings


def test_a_good_broker_and_store_pass_for_every_service(settings: StoreSettings, unique: str) -> None:
    topics = stream_topics(f"start-{unique}")
    create_topics(settings.kafka_bootstrap, topics)
    for service in SERVICES.values():
        check_surroundings(msgspec.structs.replace(settings, service=service), topics)
    check_store("cli", RIGHTS["cli"], settings.s3)
    assert not list(MinioObjectStore(settings.s3).list("probe/")), "the probe has left something behind"


def test_a_broker_without_the_topics_is_refused_with_the_remedy(settings: StoreSettings, unique: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"topic start-{unique}\.requests does not exist; create it with"):
        check_surroundings(settings, stream_topics(f"start-{unique}"))


def test_a_topic_with_another_configuration_is_refused_with_its_setting(settings: StoreSettings, unique: str) -> None:
    requests = stream_topics(f"start-{unique}")[0]
    create_topic(settings.kafka_bootstrap, requests.name, partitions=4, max_message_bytes=1000)
    with pytest.raises(ConfigurationError, match=r"requests: \S+ is \S+, needs \S+; set it right with: driftloop up"):
        check_surroundings(settings, [requests])


@pytest.mark.parametrize(
    ("service", "closed", "cannot"),
    [
        ("ingest", "PUT lake", "write lake/"),
        ("ingest", "PUT probe", "write probe/"),
        ("ingest", "DELETE lake", "delete in lake/"),
    ],
)
def test_a_key_without_the_right_to_write_or_delete_is_refused(service: str, closed: str, cannot: str) -> None:
    with careless_store(closed=(closed,)) as s3, pytest.raises(ConfigurationError, match=rf"key of {service} cannot {cannot} .*init job"):
        check_store(service, RIGHTS[service], s3)


def test_a_key_without_the_right_to_read_is_refused() -> None:
    with careless_store(closed=("GET models",)) as s3, pytest.raises(ConfigurationError, match="key of predictor cannot read models/"):
        check_store("predictor", RIGHTS["predictor"], s3)


def test_a_bucket_that_is_not_there_is_refused(settings: StoreSettings) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read \w+/ in bucket 'no-such-bucket'"):
        check_store("predictor", RIGHTS["predictor"], msgspec.structs.replace(settings.s3, bucket="no-such-bucket"))


def test_a_store_that_ignores_conditional_puts_is_refused() -> None:
    with careless_store() as s3, pytest.raises(ConfigurationError, match="ignores conditional puts"):
        check_store("ingest", RIGHTS["ingest"], s3)


def test_a_store_that_does_not_answer_is_not_a_wrong_setting() -> None:
    nobody = S3Settings(endpoint="http://127.0.0.1:9", bucket="driftloop", region="us-east-1", access_key="k", secret_key="s")
    with pytest.raises(TransientError):
        check_store("ingest", RIGHTS["ingest"], nobody)


def test_who_can_work_without_the_store_goes_on_when_it_is_away(settings: StoreSettings) -> None:
    away = msgspec.structs.replace(settings, service=PREDICTOR, s3=msgspec.structs.replace(settings.s3, endpoint="http://127.0.0.1:9"))
    check_surroundings_but_for_a_silent_store(away, [])


def test_who_can_work_without_the_store_still_refuses_one_that_says_no(settings: StoreSettings) -> None:
    with careless_store(closed=("GET models",)) as s3, pytest.raises(ConfigurationError, match="cannot read models/"):
        check_surroundings_but_for_a_silent_store(msgspec.structs.replace(settings, service=PREDICTOR, s3=s3), [])
