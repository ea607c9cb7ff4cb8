"""Clients of Kafka are built in one place, which gives each of them its cluster's security."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "libs").glob("*/src/**/*.py"), *(ROOT / "services").glob("*/src/**/*.py"), *(ROOT / "infra").glob("**/*.py")]
CLIENTS = {"KafkaAdminClient", "KafkaConsumer", "KafkaProducer", "AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient"}
# Where an address alone is told on, and no client is built of it: the settings' own fields, and what describes a local stack.
ADDRESSES = {
    "adapters/kafka_secured.py",
    "cli/stack/up.py",
    "driftloop_monitor/app.py",
    "driftloop/installation.py",
    "local/addresses.py",
    "local/environment.py",
    "local/prepare.py",
    "local/stack.py",
    "service/settings.py",
}


def calls(source: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_no_client_is_built_but_by_connected() -> None:
    built = [f"{source}: {name}" for source in SOURCES for name, _ in calls(source) if name.rpartition(".")[2] in CLIENTS]
    assert not built, "build it with driftloop.adapters.kafka_clients.connected, which has the cluster's security"


def test_faust_is_given_the_credentials() -> None:
    apps = [call for source in SOURCES for name, call in calls(source) if name == "faust.App"]
    assert apps
    assert all("broker_credentials" in {keyword.arg for keyword in call.keywords} for call in apps)


def test_nobody_connects_to_an_address_without_its_security() -> None:
    uses = {
        str(source.relative_to(ROOT))
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "kafka_bootstrap"
    }
    assert not [use for use in uses if not use.endswith(tuple(ADDRESSES))], "use .kafka, which is the address with its security"
