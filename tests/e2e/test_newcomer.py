"""A newcomer with a CSV that the repository does not know: four commands from an empty folder to version 3, then what may follow.

The program is the installed one: wheels in an environment of their own, away from the repository.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.hives import FEATURES, append_hives, write_hives
from tests.support.installed import built_wheels, environment_of
from tests.support.ports import free_port_base
from tests.support.servers import REPOSITORY, shared_cache
from tests.support.waiting import wait_until

from driftloop.adapters.kafka_admin import administered

ROWS = 1_500  # in five or six windows of four weeks
MORE_ROWS = 60
MODEL = "hives-swarmed"


class Newcomer:
    """In an empty folder, with the program on the path and a file."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        folder.mkdir()
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("DRIFTLOOP_", "PYTHON", "VIRTUAL_ENV"))}
        self.environment = {**plain, "PATH": f"{programs}:{os.environ['PATH']}", "DRIFTLOOP_CACHE": str(shared_cache())}

    def types(self, command: str, *, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            command.split(), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=1200
        )
        assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def asks(self, command: str) -> Any:
        return json.loads(self.types(f"{command} --json").stdout)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("installed")
    return environment_of(built_wheels(made / "wheels"), "driftloop[local]", made / "environment")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> Iterator[Newcomer]:
    made = Newcomer(tmp_path_factory.mktemp("newcomer") / "empty", programs)
    yield made
    made.types("driftloop down")


@pytest.fixture(scope="module")
def replayed(newcomer: Newcomer) -> Any:
    """What the last of the first three commands says."""
    write_hives(newcomer.folder / "hives.csv", ROWS)
    newcomer.types("driftloop init hives --data hives.csv --target swarmed")
    newcomer.types(f"driftloop up --project hives --port-base {free_port_base()}")
    return newcomer.asks("driftloop replay hives")


@pytest.mark.timeout(1800)
def test_four_commands_lead_from_a_csv_to_version_3(newcomer: Newcomer, replayed: Any) -> None:
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
    assert len(newcomer.asks(f"driftloop models runs {MODEL}")) >= len(model["versions"])
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
    registered = config.read_text()
    config.write_text(registered.replace("first = 2 ", "first = 3 "))
    assert "hives has changed since it was registered" in newcomer.types("driftloop replay hives", code=2).stderr
    config.write_text(registered)


@pytest.mark.timeout(1800)
def test_the_notebook_runs_from_its_first_cell_to_its_last(newcomer: Newcomer, replayed: Any) -> None:
    """As docs/notebooks/README.md says, in the folder in which the stack was started."""
    shutil.copy(REPOSITORY / "docs" / "notebooks" / "loop.ipynb", newcomer.folder)
    execute = [str(Path(sys.executable).with_name("jupyter-execute")), "--inplace", "loop.ipynb"]
    folders = {
        name: str(newcomer.folder / "jupyter") for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR")
    }
    done = subprocess.run(
        execute, cwd=newcomer.folder, env=newcomer.environment | folders, capture_output=True, text=True, check=False, timeout=1200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = {cell["id"]: cell for cell in json.loads((newcomer.folder / "loop.ipynb").read_text())["cells"]}
    drawn = {name for name, cell in cells.items() if any("image/png" in output.get("data", {}) for output in cell.get("outputs", ()))}
    assert drawn == {"plot-drift", "plot-performance", "plot-policies"}
    said = "".join("".join(output.get("text", ())) for name in ("rows", "reproduce") for output in cells[name]["outputs"])
    assert f"{ROWS:,} events" in said
    assert "version 1: " in said


@pytest.mark.timeout(1800)
def test_a_topic_that_was_deleted_is_made_anew_and_a_stream_gets_wider(newcomer: Newcomer, replayed: Any) -> None:
    """docs/recoveries.md, 2 and 12. What the lake has stays, and rows that come afterwards get their labels."""
    broker = json.loads((newcomer.folder / ".driftloop" / "stack.json").read_text())["kafka_bootstrap"]
    with administered(broker, "deleting a topic") as admin:
        admin.delete_topics(["hives.labels"])
        wait_until(lambda: "hives.labels" not in admin.list_topics(), "the topic to be gone")

    newcomer.types("driftloop up --project hives")
    newcomer.types("driftloop partitions add hives 6")
    append_hives(newcomer.folder / "hives.csv", MORE_ROWS)
    again: Any = newcomer.asks("driftloop replay hives")

    assert (again["requests"]["rows"], again["requests"]["once"]) == (ROWS + MORE_ROWS, ROWS + MORE_ROWS)
    assert replayed["labels"]["rows"] < again["labels"]["rows"] == again["labels"]["once"]
    status: Any = newcomer.asks("driftloop status")
    assert {service["state"] for service in status["services"]} == {"ready"}


def test_what_was_not_installed_is_not_needed_to_begin(tmp_path: Path, programs: Path) -> None:
    """``driftloop[init]`` writes a project: without a broker's client, a store's, or any service."""
    wheels = sorted((programs.parents[1] / "wheels").glob("*.whl"))
    newcomer = Newcomer(tmp_path / "empty", environment_of(wheels, "driftloop[init]", tmp_path / "environment"))
    write_hives(newcomer.folder / "hives.csv", ROWS)
    found = newcomer.asks("driftloop init hives --data hives.csv --target swarmed")
    assert {column["name"] for column in found["columns"] if column["role"] == "feature"} == FEATURES
    assert "error: no stack runs here" in newcomer.types("driftloop status", code=2).stderr
