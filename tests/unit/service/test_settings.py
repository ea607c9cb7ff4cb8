"""What a service is told means the same in each, and a mistake names its variable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driftloop.contracts.services import CONSOLE, INGEST, MONITOR, NOTIFIER, PREDICTOR, REGISTRY, SERVICES, TRAINER, Service
from driftloop.errors import ConfigurationError
from driftloop.service.settings import ServiceSettings, service_settings, settings_of, settings_table, store_settings
from driftloop_console.settings import console_settings
from driftloop_ingest.settings import ingest_settings
from driftloop_monitor.settings import monitor_settings
from driftloop_notifier.settings import notifier_settings
from driftloop_predictor.settings import predictor_settings
from driftloop_trainer.settings import trainer_settings

# as each service's bootstrap reads them
LOADED: dict[str, Callable[[], ServiceSettings]] = {
    REGISTRY.name: lambda: store_settings(REGISTRY),
    INGEST.name: lambda: ingest_settings().common,
    PREDICTOR.name: lambda: predictor_settings().common,
    MONITOR.name: lambda: monitor_settings().common,
    TRAINER.name: lambda: trainer_settings().common,
    CONSOLE.name: lambda: console_settings().common,
    NOTIFIER.name: lambda: notifier_settings().common,
}
each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
each_with_project = pytest.mark.parametrize("service", [s for s in SERVICES.values() if s.for_project], ids=lambda s: s.name)
Tell = Callable[..., None]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tell:
    """Sets what the service is told; None: nothing."""

    def given(service: Service, **changes: str | None) -> None:
        for which in ("access", "secret"):
            (tmp_path / which).write_text("key\n")
        variables = {
            "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
            "S3_ENDPOINT": "http://127.0.0.1:9000",
            "S3_ACCESS_KEY_FILE": str(tmp_path / "access"),
            "S3_SECRET_KEY_FILE": str(tmp_path / "secret"),
            "HTTP_PORT": "8080",
            "STATE_DIR": str(tmp_path),
            "REGISTRY_URL": "http://127.0.0.1:29010",  # which only the console reads
        }
        for name, value in (variables | changes).items():
            if value is not None:
                monkeypatch.setenv(f"DRIFTLOOP_{service.name.upper()}_{name}", value)

    return given


def test_every_service_of_the_table_is_covered_here() -> None:
    assert LOADED.keys() == SERVICES.keys()


@each_with_project
@pytest.mark.parametrize("given", [None, ""])
def test_no_project_means_the_only_one_registered(service: Service, given: str | None, tell: Tell) -> None:
    tell(service, PROJECT=given)
    assert LOADED[service.name]().project is None


@each_with_project
def test_a_project_is_named(service: Service, tell: Tell) -> None:
    tell(service, PROJECT="flights")
    assert LOADED[service.name]().project == "flights"


@each_with_project
@pytest.mark.parametrize("given", ["-", "*", "Flights", "../flights", "flights\n"])
def test_a_project_that_has_no_name_is_refused_in_every_service_alike(service: Service, given: str, tell: Tell) -> None:
    tell(service, PROJECT=given)
    with pytest.raises(ConfigurationError, match=f"DRIFTLOOP_{service.name.upper()}_PROJECT=.* must be lower-case .*; leave it out"):
        LOADED[service.name]()


@each_service
def test_an_instance_is_named_after_its_service_unless_it_is_told_otherwise(service: Service, tell: Tell) -> None:
    tell(service)
    assert LOADED[service.name]().instance == f"{service.name}-0"
    tell(service, INSTANCE="a-2")
    assert LOADED[service.name]().instance == "a-2"


@each_service
@pytest.mark.parametrize("given", ["../elsewhere", "Predictor 0", "p/0"])
def test_an_instance_that_cannot_name_a_folder_is_refused_in_every_service_alike(service: Service, given: str, tell: Tell) -> None:
    tell(service, INSTANCE=given)
    with pytest.raises(ConfigurationError, match=f"DRIFTLOOP_{service.name.upper()}_INSTANCE=.* must be lower-case"):
        LOADED[service.name]()


@each_service
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"KAFKA_BOOTSTRAP": None}, "KAFKA_BOOTSTRAP is not set"),
        ({"KAFKA_BOOTSTRAP": "broker"}, "KAFKA_BOOTSTRAP='broker' must be host:port"),
        ({"S3_ENDPOINT": "minio:9000"}, "S3_ENDPOINT='minio:9000' must start with http"),
        ({"S3_SECRET_KEY_FILE": "/none"}, "S3_SECRET_KEY_FILE: cannot read /none"),
        ({"HTTP_PORT": "web"}, "HTTP_PORT='web' is not a whole number"),
        ({"HTTP_PORT": "70000"}, "HTTP_PORT=70000 is not between 1 and 65535"),
        ({"STATE_DIR": ""}, "STATE_DIR is not set"),
    ],
)
def test_a_wrong_setting_is_named(service: Service, changes: dict[str, str | None], says: str, tell: Tell) -> None:
    tell(service, **changes)
    with pytest.raises(ConfigurationError) as error:
        LOADED[service.name]()
    assert str(error.value).startswith(f"DRIFTLOOP_{service.name.upper()}_{says}")


def test_a_service_without_a_store_starts_without_settings_of_one() -> None:
    notifier = Service(name="notifier", port_offset=60)
    variables = {"KAFKA_BOOTSTRAP": "127.0.0.1:9092", "HTTP_PORT": "8080", "STATE_DIR": "/state"}
    settings = service_settings(notifier, {f"DRIFTLOOP_NOTIFIER_{name}": value for name, value in variables.items()})
    assert settings.instance == "notifier-0"
    assert not hasattr(settings, "s3")
    assert not [setting for setting in settings_of(notifier) if setting.name.startswith("S3_")]


def test_only_the_console_is_told_where_the_registry_is_which_takes_its_commands(tell: Tell) -> None:
    assert {names for setting, names in settings_table() if setting.name == "REGISTRY_URL"} == {("console",)}
    tell(CONSOLE, REGISTRY_URL="registry:8080")
    with pytest.raises(ConfigurationError, match="DRIFTLOOP_CONSOLE_REGISTRY_URL='registry:8080' must start with http"):
        console_settings()


def test_the_table_names_who_reads_a_setting() -> None:
    readers: dict[str, Any] = {setting.name: names for setting, names in settings_table()}
    assert readers["KAFKA_BOOTSTRAP"] == tuple(SERVICES)
    assert readers["PROJECT"] == ("ingest", "predictor", "monitor")
    assert readers["FLUSH_ROWS"] == ("ingest",)
