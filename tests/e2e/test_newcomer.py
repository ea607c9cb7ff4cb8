"""A newcomer with a CSV that the repository does not know: four commands from an empty folder to version 3.

The program is the installed one: wheels in an environment of their own, away from the repository.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.hives import FEATURES, write_hives
from tests.support.installed import built_wheels, environment_of
from tests.support.ports import free_port_base
from tests.support.servers import shared_cache

ROWS = 1_500  # in five or six windows of four weeks
MODEL = "hives-swarmed"


class Newcomer:
    """In an empty folder, with the program on the path and a file."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        folder.mkdir()
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("DRIFTLOOP_", "PYTHON", "VIRTUAL_ENV"))}
        self._environment = {**plain, "PATH": f"{programs}:{os.environ['PATH']}", "DRIFTLOOP_CACHE": str(shared_cache())}

    def types(self, command: str, *, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            command.split(), cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False, timeout=1200
        )
        assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def asks(self, command: str) -> object:
        return json.loads(self.types(f"{command} --json").stdout)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("installed")
    return environment_of(built_wheels(made / "wheels"), "driftloop[local]", made / "environment")


@pytest.fixture
def newcomer(tmp_path: Path, programs: Path) -> Iterator[Newcomer]:
    made = Newcomer(tmp_path / "empty", programs)
    yield made
    made.types("driftloop down")


@pytest.mark.timeout(1800)
def test_four_commands_lead_from_a_csv_to_version_3(newcomer: Newcomer) -> None:
    write_hives(newcomer.folder / "hives.csv", ROWS)

    newcomer.types("driftloop init hives --data hives.csv --target swarmed")
    newcomer.types(f"driftloop up --project hives --port-base {free_port_base()}")
    replayed = newcomer.asks("driftloop replay hives")
    model = newcomer.asks(f"driftloop models show {MODEL}")

    assert len(model["versions"]) >= 3
    assert model["champion"] is not None
    assert set(replayed) >= {"sent", "requests", "labels", "versions", "champion"}
    assert (replayed["requests"]["rows"], replayed["requests"]["once"], replayed["quarantined"]) == (ROWS, ROWS, 0)
    assert 0 < replayed["labels"]["rows"] == replayed["labels"]["once"] < ROWS
    assert replayed["sent"] == replayed["requests"]["rows"] + replayed["labels"]["rows"]
    status = newcomer.asks("driftloop status")
    assert {service["state"] for service in status["services"]} == {"ready"}
    assert sum(topic["lag"] for topic in status["lag"]) == 0

    # the first questions, from the command line
    reports = newcomer.asks(f"driftloop performance {MODEL}")
    assert len({report["window"]["start"] for report in reports}) == replayed["windows"]
    assert any(report["measured"] for report in reports)
    drift = newcomer.asks(f"driftloop drift {MODEL}")
    assert FEATURES in [set(report["features"]) for report in drift]
    shown = newcomer.asks(f"driftloop drift {MODEL} outside_temp_c")
    newest = max((report for report in drift if report["version"]), key=lambda report: report["window"]["end"])
    assert sum(shown["distribution"]["counts"]) == newest["rows"]
    assert "o measured" in newcomer.types(f"driftloop performance {MODEL}").stdout
    assert "= training of" in newcomer.types(f"driftloop drift {MODEL} queen").stdout

    # the same again sends nothing, and changes nothing
    again = newcomer.asks("driftloop replay hives")
    assert (again["sent"], again["requests"], again["labels"], again["versions"]) == (
        0,
        replayed["requests"],
        replayed["labels"],
        replayed["versions"],
    )

    # a project that has changed meanwhile is not what the stack knows
    config = newcomer.folder / "hives" / "driftloop.toml"
    config.write_text(config.read_text().replace("first = 2 ", "first = 3 "))
    assert "hives has changed since it was registered" in newcomer.types("driftloop replay hives", code=2).stderr


def test_what_was_not_installed_is_not_needed_to_begin(tmp_path: Path, programs: Path) -> None:
    """``driftloop[init]`` writes a project: without a broker's client, a store's, or any service."""
    wheels = sorted((programs.parents[1] / "wheels").glob("*.whl"))
    newcomer = Newcomer(tmp_path / "empty", environment_of(wheels, "driftloop[init]", tmp_path / "environment"))
    write_hives(newcomer.folder / "hives.csv", ROWS)
    found = newcomer.asks("driftloop init hives --data hives.csv --target swarmed")
    assert {column["name"] for column in found["columns"] if column["role"] == "feature"} == FEATURES
    assert "error: no stack runs here" in newcomer.types("driftloop status", code=2).stderr
