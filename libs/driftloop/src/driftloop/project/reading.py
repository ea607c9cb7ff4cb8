"""A project: the folder a user owns, ``driftloop.toml`` and ``pipeline.py``, read, checked and archived by digest."""

import io
import tomllib
import zipfile
from pathlib import Path

import msgspec

from driftloop.contracts.values import Window
from driftloop.errors import UserError
from driftloop.project import open_windows
from driftloop.project.checks import Problem, check
from driftloop.project.conversion import converted
from driftloop.project.model import (
    CONFIG_FILE,
    PIPELINE_FILE,
    Project,
    Promotion,
    Serving,
    Training,
    archive_key,
)
from driftloop.project.recipes import ALLOWED
from driftloop.project.rules import Monitoring, Policy
from driftloop.project.toml_lines import line_of


def read_project(folder: Path) -> Project:
    """Read and check a project folder. Raises UserError with file, line and remedy."""
    files: dict[str, bytes] = {}
    for name in (CONFIG_FILE, PIPELINE_FILE):
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as exc:
            raise UserError(f"{folder / name}: {exc.strerror or exc}; a project folder holds {CONFIG_FILE} and {PIPELINE_FILE}") from exc
    for path in sorted(folder.glob("*.py")):
        files[path.name] = path.read_bytes()
    project = parse_project(files, where=str(folder))
    # Not in parse_project: archives that are registered stay readable, whatever is refused today.
    if not project.training.candidates:
        line = line_of(files[CONFIG_FILE].decode(), "training.candidates")
        raise UserError(f"{folder / CONFIG_FILE}:{line}: training.candidates: name at least one recipe; {ALLOWED}")
    if (said := open_windows.problem(project.windows, project.allowed_lateness)) is not None:
        line = line_of(files[CONFIG_FILE].decode(), "stream.allowed_lateness")
        raise UserError(f"{folder / CONFIG_FILE}:{line}: {said}")
    return project


def open_archive(data: bytes) -> Project:
    """The project in an archive. One that ``Project.archive`` has not made stays what it is: its digest is that of ``data``."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    project = parse_project(files, where="archive")
    return project if project.archive() == data else msgspec.structs.replace(project, foreign_archive=data)


def parse_project(files: dict[str, bytes], where: str) -> Project:
    """Raises UserError with file, line and remedy."""
    source = f"{where}/{CONFIG_FILE}"
    try:
        text = files[CONFIG_FILE].decode("utf-8")
        table = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UserError(f"{source}: {exc}") from exc
    try:
        compile(files[PIPELINE_FILE], PIPELINE_FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as exc:
        line = getattr(exc, "lineno", None) or 1
        raise UserError(f"{where}/{PIPELINE_FILE}:{line}: {exc}") from exc
    try:
        return check(converted(table), files)
    except Problem as problem:
        raise UserError(f"{source}:{line_of(text, problem.key)}: {problem.message}") from problem


__all__ = [
    "Monitoring",
    "Policy",
    "Project",
    "Promotion",
    "Serving",
    "Training",
    "Window",
    "archive_key",
    "open_archive",
    "parse_project",
    "read_project",
]
