"""What the documents name is what the code has."""

import re
from pathlib import Path
from typing import get_type_hints

import pytest
from docs.generators import alerts, commands, http
from prometheus_client.metrics import MetricWrapperBase

from driftloop import metrics
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.contracts.services import SERVICES, Service
from driftloop.documents import prometheus, reference
from driftloop.project import conversion, tables
from driftloop.project.policy_file import read_policy
from driftloop.project.rules import Policy
from driftloop.service.settings import settings_table

ROOT = Path(__file__).parents[2]
METRICS = {next(iter(m.describe())).name for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)}


def test_the_generated_files_are_the_generated_ones() -> None:
    generated = {
        "docs/alerts.md": alerts.page(),
        "docs/commands.md": commands.page(),
        "docs/http.md": http.page(),
        "docs/reference.md": reference.page(),
        "infra/prometheus/prometheus.yml": prometheus.text(),
    }
    assert [path for path, text in generated.items() if (ROOT / path).read_text() != text] == [], "run: make docs"


def read_in(*sources: Path) -> set[str]:
    """The settings that code reads from an ``Environment``."""
    text = "\n".join(path.read_text() for source in sources for path in source.rglob("*.py"))
    read = set(re.findall(r"env\.(?:text|optional|integer|optional_integer|number|host_names)\(\s*\"([A-Z0-9_]+)\"", text))
    of_files = r"env\.(?:secret|file|secret_file|needed_secret_file)\(\s*\"([A-Z0-9_]+)\""
    return read | {f"{name}_FILE" for name in re.findall(of_files, text)}


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_a_service_documents_the_settings_that_it_alone_reads(service: Service) -> None:
    assert read_in(ROOT / "services" / service.name) == {setting.name for setting in service.settings}


def test_every_setting_that_is_read_is_documented_and_no_other() -> None:
    of_the_command_line = {"KAFKA_GIVE_RIGHTS"}  # for `docker compose run cli`
    assert read_in(ROOT / "libs", ROOT / "services") - of_the_command_line == {setting.name for setting, _ in settings_table()}


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_every_command_that_a_page_shows_exists(page: str) -> None:
    from driftloop.cli.main import COMMANDS

    named = set(re.findall(r"^driftloop (\w+)", (ROOT / page).read_text(), re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)


def test_a_page_shows_rules_that_can_be_read(tmp_path: Path) -> None:
    """Of docs/tune-policy.md, as `driftloop backtest --policy` reads them."""
    found = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "tune-policy.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 3
    for text in found:
        (tmp_path / "policy.toml").write_text(text)
        assert read_policy(tmp_path / "policy.toml") != Policy()


def test_the_page_on_projects_names_every_word_of_the_file_and_no_other() -> None:
    table = (ROOT / "docs" / "project.md").read_text().partition("| word |")[2]
    named: dict[str, set[str]] = {}
    section = ""
    for cell in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE):
        for word in re.findall(r"`([^`]+)`", cell):
            section = word.strip("[]") if word.startswith("[") else section
            named.setdefault(section, set()).update({word} - {f"[{section}]", f"[[{section}]]"})
    known = {name: set(getattr(kind, "__struct_fields__", ())) for name, kind in get_type_hints(tables.ProjectFile).items()}
    known["monitoring"] = set(conversion.monitoring_settings())
    known["notify"] = set(NotifyRule.__struct_fields__)  # of each of the list's
    known["features"] = set()  # names that a project chooses
    assert named == known


def test_the_page_on_the_client_names_every_method_and_no_other() -> None:
    from driftloop import Client
    from driftloop.client.changes import Changes

    page = (ROOT / "docs" / "client.md").read_text()
    table, _, rest = page.partition("What changes something")
    asks = {name for row in re.findall(r"^\|[^|]*\|([^|]*)\|", table, re.MULTILINE) for name in re.findall(r"`(\w+)\(", row)}
    assert asks == {name for name in vars(Client) if not name.startswith("_")}
    assert set(re.findall(r"`(\w+)`", rest)) == {name for name in vars(Changes) if not name.startswith("_")}


def test_decisions_are_listed_in_their_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    assert all(f"({path.name})" in index for path in folder.glob("0*.md"))


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_alerts_and_dashboard_name_metrics_that_exist() -> None:
    exported = {sample for metric in METRICS for sample in (metric, f"{metric}_total", f"{metric}_bucket")}
    for path in (ROOT / "infra").rglob("*"):
        if path.suffix in {".yml", ".json"}:
            assert set(re.findall(r"driftloop_\w+", path.read_text())) <= exported, path.name


@pytest.mark.parametrize("page", ["architecture.md", "glossary.md", "laws.md"])
def test_modules_that_a_page_names_exist(page: str) -> None:
    named = set(re.findall(r"`([a-z_/]+\.py)`", (ROOT / "docs" / page).read_text()))
    assert named
    sources = [f"/{path.relative_to(ROOT).as_posix()}" for folder in ("libs", "services") for path in (ROOT / folder).rglob("*.py")]
    assert {name for name in named if not any(source.endswith(f"/{name}") for source in sources)} == set()
