"""The table of services and what had to be written elsewhere in another language: each complaint names the file and the line to add."""

import subprocess
import tomllib

import pytest
from tests.architecture.compose_file import REPOSITORY, compose_file

from driftloop.contracts.broker_rights import USERS
from driftloop.contracts.names import is_name
from driftloop.contracts.services import INSTANCES, MONITOR, REGISTRY, RIGHTS, SERVICES, TRAINER, Service
from driftloop.documents.prometheus import FURTHER_PROJECT

each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
LINTER = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
PACKAGES = [service.package for service in SERVICES.values()]


def test_every_service_has_a_folder_and_every_folder_is_a_service() -> None:
    folders = {path.parent.name for path in (REPOSITORY / "services").glob("*/pyproject.toml")}
    assert folders == set(SERVICES), "a folder in services/ for each line of driftloop.contracts.services, and no other"


def test_no_two_services_share_a_port() -> None:
    offsets = sorted(service.port_offset for service in SERVICES.values())
    assert offsets == list(range(10, 10 + INSTANCES * len(SERVICES), INSTANCES)), "each service has the next ten ports"
    assert offsets[-1] + INSTANCES <= 100, "stacks of tests are a hundred ports apart"


@each_service
def test_a_service_is_named_as_its_settings_folders_and_package_need_it(service: Service) -> None:
    assert is_name(service.name)
    assert service.package.isidentifier()
    assert not service.for_project or service.rights is not None, "a project's archive is in the store"


@each_service
def test_a_service_is_named_by_the_topics_that_it_reads_or_writes(service: Service) -> None:
    assert service.topics("stream"), f"driftloop.contracts.topics: name {service.name} in read_by or written_by of a topic"


def test_a_service_is_named_by_the_topics_of_its_history() -> None:
    from driftloop_monitor.history import TOPICS as of_the_monitor
    from driftloop_trainer.history import TOPICS as of_the_trainer

    assert set(of_the_monitor) <= {topic.name for topic in MONITOR.topics()}, "driftloop.contracts.topics: read_by"
    assert set(of_the_trainer) <= {topic.name for topic in TRAINER.topics()}, "driftloop.contracts.topics: read_by"


def test_make_installs_and_locks_every_service() -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory", "-f", "-", "list-services"],
        input="include Makefile\nlist-services:\n\t@echo $(SERVICES)\n",
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(printed.stdout.split()) == set(SERVICES)


def test_the_import_contracts_know_every_service() -> None:
    assert set(PACKAGES) <= set(LINTER["root_packages"]), "pyproject.toml: [tool.importlinter] root_packages"
    contracts = {contract["name"]: contract for contract in LINTER["contracts"]}
    layers = next(contract for name, contract in contracts.items() if name.startswith("Imports run downward"))
    assert set(layers["layers"][0].split(" | ")) == set(PACKAGES), "pyproject.toml: the first layer of the layers contract"
    ports = next(contract for name, contract in contracts.items() if name.startswith("In a service only the bootstrap"))
    assert set(ports["source_modules"]) == set(PACKAGES), "pyproject.toml: source_modules of the contract on services"


def test_the_containers_run_every_service() -> None:
    built = {name for name, container in compose_file()["services"].items() if "services/" in str(container.get("build"))}
    assert built == set(SERVICES), "docker-compose.yml: services"


@each_service
def test_a_container_is_its_service_s(service: Service) -> None:
    container = compose_file()["services"][service.name]
    assert container["build"]["dockerfile"] == f"services/{service.name}/Dockerfile"
    assert container["volumes"] == [f"{service.name}-state:/state"]
    assert f"{service.name}-state" in compose_file()["volumes"], "docker-compose.yml: volumes"
    conditions = container["depends_on"]
    assert service is REGISTRY or conditions["registry"]["condition"] == "service_healthy", "docker-compose.yml: depends_on"
    last = (REPOSITORY / "services" / service.name / "Dockerfile").read_text(encoding="utf-8").splitlines()[-1]
    assert last == f'CMD ["python", "-m", "driftloop.service.instance", "{service.name}"]'


def test_the_init_job_can_hand_out_every_key() -> None:
    mounted = compose_file()["services"]["init"]["secrets"]
    keys = {f"{owner}-{which}-key" for owner in (*RIGHTS, "minio-root") for which in ("access", "secret")}
    keys |= {f"{user}-kafka-password" for user in ("admin", *USERS)} | {"kafka-ca"}
    assert set(mounted) == keys, "docker-compose.yml: secrets of init"
    assert keys <= set(compose_file()["secrets"]), "docker-compose.yml: secrets"


def test_the_command_line_in_the_containers_asks_every_service() -> None:
    told = compose_file()["services"]["cli"]["environment"]["DRIFTLOOP_CLI_SERVICES"]
    expected = {f"{name}=http://{name}:8080" for name in SERVICES}
    assert set(told.split(",")) == expected, "docker-compose.yml: DRIFTLOOP_CLI_SERVICES"


FURTHER = "infra/project/docker-compose.yml"


def test_one_more_project_in_the_containers_has_its_own_of_every_service_that_works_for_one() -> None:
    own = {service.name: service for service in SERVICES.values() if service.for_project}
    extra = compose_file(FURTHER)
    extended = {name: container["extends"]["service"] for name, container in extra["services"].items() if name not in ("project", "cli")}
    assert extended == {f"{FURTHER_PROJECT}{name}": name for name in own}, f"{FURTHER}: services"
    for name in own:
        container = extra["services"][f"{FURTHER_PROJECT}{name}"]
        called = container["environment"][f"DRIFTLOOP_{name.upper()}_HTTP_NAMES"]
        assert called == f"{FURTHER_PROJECT}{name},${{DRIFTLOOP_PROJECT_NAME}}-{name}"
        assert f"DRIFTLOOP_{name.upper()}_PROJECT" in container["environment"]
        assert container["networks"] == {"broker": {"aliases": [f"${{DRIFTLOOP_PROJECT_NAME}}-{name}"]}}
    assert set(extra["volumes"]) == {f"{name}-state" for name in (*own, "cli")}, f"{FURTHER}: volumes"
    secrets = {f"{name}-{which}" for name in (*own, "cli") for which in ("access-key", "secret-key", "kafka-password")}
    assert set(extra["secrets"]) == secrets | {"kafka-ca"}, f"{FURTHER}: secrets"
    told = set(extra["services"]["cli"]["environment"]["DRIFTLOOP_CLI_SERVICES"].split(","))
    its_own = {f"{name}=http://${{DRIFTLOOP_PROJECT_NAME}}-{name}:8080" for name in own}
    assert its_own <= told <= its_own | {f"{name}=http://{name}:8080" for name in SERVICES}, f"{FURTHER}: cli"


def test_the_package_root_of_the_library_stays_small() -> None:
    root = REPOSITORY / "libs" / "driftloop" / "src" / "driftloop"
    loose = sorted(path.stem for path in root.glob("*.py") if path.stem != "__init__")
    assert len(loose) <= 10, f"a new module belongs into a folder: {loose}"
