"""What a new event service costs: it is added to a copy of the repository, and everything that watches over services agrees.

Beside its own folder it takes the four edits below; the reference page, the AsyncAPI document and Prometheus' targets are generated again.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.architecture.compose_file import REPOSITORY
from tests.support.small_service import SOURCE

from driftloop.contracts.services import INSTANCES, SERVICES

pytestmark = pytest.mark.timeout(600)  # the first one runs the other tests of this folder again
NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv", ".driftloop", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "secrets", "*.parquet"),
    *("bench", "integration", "e2e"),
)
GENERATED = {
    "docs/reference.md": "driftloop.documents.reference",
    "docs/asyncapi.json": "driftloop.documents.asyncapi",
    "infra/prometheus/prometheus.yml": "driftloop.documents.prometheus",
}
OF_THE_LIBRARY = "tests/architecture/test_column_types.py::test_mypy_names_the_places_that_a_new_type_was_forgotten_in"
PORT_OFFSET = 10 + INSTANCES * len(SERVICES)
CONTAINER = """\
  scribe:
    <<: *service
    image: driftloop/scribe:${DRIFTLOOP_TAG:-dev}
    build: {context: ., dockerfile: services/scribe/Dockerfile}
    depends_on: *after-registry
    networks: [broker]
    environment:
      DRIFTLOOP_SCRIBE_KAFKA_BOOTSTRAP: kafka:9092
      DRIFTLOOP_SCRIBE_KAFKA_SECURITY_PROTOCOL: SASL_SSL
      DRIFTLOOP_SCRIBE_KAFKA_CA_FILE: /run/secrets/kafka-ca
      DRIFTLOOP_SCRIBE_KAFKA_SASL_MECHANISM: SCRAM-SHA-512
      DRIFTLOOP_SCRIBE_KAFKA_USERNAME: scribe
      DRIFTLOOP_SCRIBE_KAFKA_PASSWORD_FILE: /run/secrets/scribe-kafka-password
      DRIFTLOOP_SCRIBE_HTTP_HOST: 0.0.0.0
      DRIFTLOOP_SCRIBE_HTTP_NAMES: scribe
      DRIFTLOOP_SCRIBE_HTTP_PORT: "8080"
      DRIFTLOOP_SCRIBE_STATE_DIR: /state
    secrets: [scribe-kafka-password, kafka-ca]
    volumes: ["scribe-state:/state"]

"""


def in_the_table(text: str) -> str:
    text = _after(text, "\n# in the order in which", f'SCRIBE = Service(name="scribe", port_offset={PORT_OFFSET})\n', before=True)
    return re.sub(r"(for service in \([^)]*)\)", r"\1, SCRIBE)", text, count=1)


def in_the_topics(text: str) -> str:
    start = text.index("name=DECISIONS,")
    return text[:start] + text[start:].replace("read_by=(", 'read_by=("scribe", ', 1)


def in_the_containers(text: str) -> str:
    text = _after(text, "  # the project that the services work for", CONTAINER, before=True)
    text = _after(text, "  trainer-state:\n", "  scribe-state:\n")
    text = _after(text, "      - trainer-kafka-password\n", "      - scribe-kafka-password\n")  # the init job makes its user
    secret = '  scribe-kafka-password: {file: "${DRIFTLOOP_SECRETS_DIR:-./infra/secrets}/scribe-kafka-password"}\n'
    text = _after(text, "  grafana-password: {file", secret, before=True)
    return _after(text, "trainer=http://trainer:8080", ",scribe=http://scribe:8080")


def in_the_import_contracts(text: str) -> str:
    text = text.replace('"driftloop_notifier"]', '"driftloop_notifier", "driftloop_scribe"]')
    return text.replace('| driftloop_notifier"', '| driftloop_notifier | driftloop_scribe"')


EDITS: dict[str, Callable[[str], str]] = {
    "libs/driftloop/src/driftloop/contracts/services.py": in_the_table,
    "libs/driftloop/src/driftloop/contracts/topics.py": in_the_topics,
    "docker-compose.yml": in_the_containers,
    "pyproject.toml": in_the_import_contracts,
}


def _after(text: str, anchor: str, added: str, *, before: bool = False) -> str:
    assert text.count(anchor) == 1, f"{anchor!r} is not once in the file"
    return text.replace(anchor, added + anchor if before else anchor + added)


class House:
    """A copy of the repository that a service moves into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(REPOSITORY, root, ignore=NOT_COPIED)

    def add_folder(self) -> None:
        folder, pattern = self.root / "services" / "scribe", self.root / "services" / "trainer"
        shutil.copytree(SOURCE, folder / "src" / "driftloop_scribe", ignore=NOT_COPIED)
        bootstrap = folder / "src" / "driftloop_scribe" / "bootstrap.py"
        text = bootstrap.read_text().replace("import Service\n", "import SCRIBE\n")
        bootstrap.write_text(re.sub(r"SCRIBE = Service\(.*\)\n\n\n", "", text))
        project = (pattern / "pyproject.toml").read_text().replace("trainer", "scribe")
        (folder / "pyproject.toml").write_text(re.sub(r"driftloop\[.*\]\"", 'driftloop[kafka]"', project))
        dockerfile = (pattern / "Dockerfile").read_text().replace("trainer", "scribe")
        (folder / "Dockerfile").write_text("".join(line for line in dockerfile.splitlines(keepends=True) if "COMMIT" not in line))
        wanted = ("cramjam", "crc32c", "kafka-python", "msgspec", "prometheus-client")
        locked = re.split(r"\n(?=[a-z])", (pattern / "requirements.txt").read_text())
        (folder / "requirements.txt").write_text("\n".join(entry for entry in locked if entry.startswith(wanted)) + "\n")

    def edit(self, *paths: str) -> None:
        for path in paths:
            (self.root / path).write_text(EDITS[path]((self.root / path).read_text()))

    def generate(self) -> None:
        for path, module in GENERATED.items():
            (self.root / path).write_text(self.run(sys.executable, "-m", module).stdout)

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        sources = [*(self.root / "libs").glob("*/src"), *(self.root / "services").glob("*/src")]
        path = os.pathsep.join(map(str, [self.root, *sources]))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | {"PYTHONPATH": path}
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=280, check=False)

    def watched(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """What `make test` would say of it."""
        return self.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments)

    def changed(self) -> set[str]:
        """Files that differ from the repository's, beside the new folder."""
        files = {path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
        mine = {path for path in files if path.parts[:2] == ("services", "scribe")}
        return {str(path) for path in files - mine if (self.root / path).read_bytes() != (REPOSITORY / path).read_bytes()}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def test_an_event_service_takes_four_edits_beyond_its_own_folder(house: House) -> None:
    house.add_folder()
    house.edit(*EDITS)
    house.generate()
    left_out = [f"--ignore=tests/architecture/{name}.py" for name in ("test_new_service", "test_site")]
    left_out += [f"--ignore=tests/architecture/{name}.py" for name in ("test_mutations", "test_recoveries")]  # which name all tests
    watched = house.watched("tests/architecture", *left_out, f"--deselect={OF_THE_LIBRARY}", "-k", "not images or scribe")
    assert watched.returncode == 0, watched.stdout
    assert "scribe" in house.watched("tests/architecture", "--collect-only", "-k", "images and scribe").stdout
    contracts = house.run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    assert contracts.returncode == 0, contracts.stdout
    assert len(EDITS) <= 4
    assert house.changed() == {*EDITS, *GENERATED}


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("libs/driftloop/src/driftloop/contracts/services.py", "a folder in services/ for each line of driftloop.contracts.services"),
        ("libs/driftloop/src/driftloop/contracts/topics.py", "driftloop.contracts.topics: name scribe in read_by or written_by"),
        ("docker-compose.yml", "docker-compose.yml: services"),
        ("pyproject.toml", "pyproject.toml: [tool.importlinter] root_packages"),
    ],
)
def test_an_edit_that_is_forgotten_is_named(house: House, missing: str, says: str) -> None:
    house.add_folder()
    house.edit(*(path for path in EDITS if path != missing))
    watched = house.watched("tests/architecture/test_services.py")
    assert watched.returncode == 1, watched.stdout + watched.stderr
    assert says in watched.stdout
