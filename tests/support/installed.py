"""The program as it is installed: wheels of the library and of each service, in an environment of their own, away from the repository.

Tests reach no package index. What others have written is therefore not installed again but linked from the running environment: the
distributions that the wheels' metadata ask for, with what those ask for, and no others, so that a dependency that nobody declared is
missing there as it would be anywhere.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from tests.support.servers import REPOSITORY

from driftloop.contracts.services import SERVICES

PROJECTS = ("libs/driftloop", *(f"services/{name}" for name in SERVICES))
OURS = re.compile(r"driftloop(-\w+)?")


def built_wheels(into: Path) -> list[Path]:
    """One of each project, as `make wheels` makes them."""
    sources = [str(REPOSITORY / project) for project in PROJECTS]
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(into), *sources)
    return sorted(into.glob("*.whl"))


def environment_of(wheels: Iterable[Path], what: str, folder: Path) -> Path:
    """A new environment in which pip has installed ``what``, such as ``driftloop[local]``, from the wheels. Its folder of programs."""
    _run(sys.executable, "-m", "venv", str(folder))
    programs = folder / "bin"
    [packages] = (folder / "lib").glob("python*/site-packages")
    wheels = list(wheels)
    for found in _needed(Requirement(what), wheels):
        _link(found, packages, programs)
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(wheels[0].parent), what]
    _run(*pip, cwd=folder)
    return programs


def _needed(what: Requirement, wheels: Iterable[Path]) -> Iterator[Distribution]:
    """What of others the installation asks for, each once."""
    ours = {wheel.name.partition("-")[0].replace("_", "-"): _metadata(wheel) for wheel in wheels}
    waiting, seen, given = [what], set[tuple[str, str]](), set[str]()
    while waiting:
        wanted = waiting.pop()
        name = _plain(wanted.name)
        for extra in ("", *sorted(wanted.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            if name in ours:
                asked = ours[name]
            else:
                try:
                    found = distribution(wanted.name)
                except PackageNotFoundError:
                    raise AssertionError(f"{wanted} is asked for and not in this environment") from None
                asked = found.requires or []
                if name not in given:
                    given.add(name)
                    yield found
            for text in asked:
                one = Requirement(text)
                if one.marker is None or one.marker.evaluate({"extra": extra}):
                    waiting.append(one)


def _metadata(wheel: Path) -> list[str]:
    from zipfile import ZipFile

    with ZipFile(wheel) as archive:
        [name] = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().partition("\n\n")[0].splitlines()
    return [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]


def _link(found: Distribution, packages: Path, programs: Path) -> None:
    """Its modules and its programs."""
    for file in found.files or []:
        source = Path(str(found.locate_file(file)))
        target = programs / file.name if file.parts[0] == ".." else packages / file
        if "__pycache__" in file.parts or target.exists() or not source.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source.resolve(), target)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(*command: str, cwd: Path | None = None) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
