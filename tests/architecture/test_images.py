"""Each image carries what its service imports: no less, and nothing beside it."""

import json
import re
import subprocess
import sys
import tomllib

import pytest
from tests.architecture.compose_file import REPOSITORY
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.contracts.estimator_files import ESTIMATOR_LIBRARIES
from driftloop.contracts.services import SERVICES

OTHERS = ("infra/init/requirements.txt", "infra/cli/requirements.txt")
LOADED_LATER = {
    "apprise",  # with the first message that goes out by it
    "skops",  # with the first model
    "fastavro",  # with the first schema in Avro
    "protobuf",  # with the first in Protobuf, and in a process of its own
    "grpcio-tools",
    "crc32c",  # by kafka-python, with the first batch
    "uvloop",  # by uvicorn, when the server runs
}

# Import all of a service with everything hidden that its image does not carry; print what was loaded.
IMPORT_ALL = """
import importlib, importlib.metadata, json, pkgutil, sys, warnings
warnings.simplefilter("ignore")
roots, carried = sys.argv[1].split(), set(json.loads(sys.argv[2]))
owners = importlib.metadata.packages_distributions()
norm = lambda name: name.lower().replace("_", "-").replace(".", "-")

class Carried:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        hidden = top in owners and not top.startswith("driftloop") and not any(norm(d) in carried for d in owners[top])
        return None if hidden else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Carried(finder) if hasattr(finder, "find_spec") else finder for finder in sys.meta_path]
for root in roots:
    package = importlib.import_module(root)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{root}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
tops = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted({norm(d) for top in tops if top in owners for d in owners[top]})))
"""


def locked(file: str) -> dict[str, set[str]]:
    """Versions by name; more than one where they depend on the Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([a-z0-9.-]+)(?:\[\w+\])?==(\S+)", (REPOSITORY / file).read_text(encoding="utf-8")):
        found.setdefault(name, set()).add(version)
    return found


def direct_dependencies(service: str) -> set[str]:
    of_service = tomllib.loads((REPOSITORY / "services" / service / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of_library = tomllib.loads((REPOSITORY / "libs" / "driftloop" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted: set[str] = set()
    for dependency in of_service["dependencies"]:
        if dependency.startswith("driftloop["):
            wanted |= set(of_library["dependencies"])
            for extra in re.findall(r"[\w-]+", dependency.partition("[")[2]):
                wanted |= set(of_library["optional-dependencies"][extra])
        else:
            wanted.add(dependency)
    return {re.split(r"[\[=<>~]", name)[0] for name in wanted}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_carries_what_its_service_imports_and_nothing_beside_it(service: str) -> None:
    roots = [SERVICES[service].package] + (["driftloop.training"] if service == "trainer" else [])
    assert direct_dependencies(service) - loaded(roots, f"services/{service}/requirements.txt") <= LOADED_LATER


@pytest.mark.parametrize(("root", "requirements"), [("infra.init.__main__", OTHERS[0]), ("driftloop.cli", OTHERS[1])])
def test_the_images_beside_the_services_carry_what_they_import(root: str, requirements: str) -> None:
    assert "msgspec" in loaded([root], requirements)


def loaded(roots: list[str], requirements: str) -> set[str]:
    """The distributions loaded by these packages with nothing at hand but what the requirements lock."""
    command = [sys.executable, "-c", IMPORT_ALL, " ".join(roots), json.dumps(sorted(locked(requirements)))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "file", [*(f"services/{s}/requirements.txt" for s in SERVICES), "infra/init/requirements.txt", "infra/cli/requirements.txt"]
)
def test_an_image_has_the_versions_that_the_tests_run_with(file: str) -> None:
    everything = locked("requirements.txt")
    differ = {name: versions for name, versions in locked(file).items() if versions != everything.get(name)}
    assert not differ, "run make lock"


@pytest.mark.parametrize("library", ESTIMATOR_LIBRARIES)
def test_an_extra_of_the_images_has_the_versions_that_the_tests_run_with(library: str) -> None:
    everything = locked("requirements-dev.txt") | locked("requirements.txt")
    differ = {name: versions for name, versions in locked(f"infra/extras/{library}.txt").items() if versions != everything.get(name)}
    assert not differ, "run make lock"
    assert any(name.startswith(library) for name in locked(f"infra/extras/{library}.txt"))
