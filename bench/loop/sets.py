"""The sets that the loop is run on: a project under the default policy, and its labelled rows."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow as pa

from driftloop.datafile.rows import read_rows
from driftloop.errors import UserError
from driftloop.project.model import Monitoring, Policy, Project, Promotion, Training
from driftloop.project.reading import read_project

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HERE = Path(__file__).parent
FOLDER = "DRIFTLOOP_EXTRA_DATA"  # a folder with tables that are not part of the repository
OF_EXAMPLES = ("flights", "rodents", "chicago")
ELSEWHERE = ("stops",)  # projects of this folder, whose rows are there


class Set(NamedTuple):
    """``table``: as ``read_rows`` gives it."""

    name: str
    project: Project
    table: pa.Table


def names() -> list[str]:
    """All that are at hand."""
    folder = os.environ.get(FOLDER)
    return [*OF_EXAMPLES, *(name for name in ELSEWHERE if folder and (Path(folder) / f"{name}.parquet").exists())]


def opened(name: str, every: int = 1) -> Set:
    """A set by its name, or the folder of a project; of its rows every ``every``-th. Raises UserError where rows are missing."""
    if name in ELSEWHERE:
        folder, data = HERE / name, _elsewhere(name)
    else:
        folder = EXAMPLES / name if name in OF_EXAMPLES else Path(name)
        data = folder
    project = with_defaults(read_project(folder))
    table = read_rows(data / (project.backtest.data or ""), project).table
    return Set(folder.name, project, thinned(table, every))


def with_defaults(project: Project) -> Project:
    """One policy for all sets, whatever a project spells out."""
    return msgspec.structs.replace(project, policy=Policy(), monitoring=Monitoring(), training=Training(), promotion=Promotion())


def thinned(table: pa.Table, every: int) -> pa.Table:
    return table if every == 1 else table.take(pa.array(range(0, len(table), every))).combine_chunks()


def _elsewhere(name: str) -> Path:
    folder = os.environ.get(FOLDER)
    if not folder or not (Path(folder) / f"{name}.parquet").exists():
        raise UserError(f"{name}: its rows are not part of this repository: name the folder with {name}.parquet in {FOLDER}")
    return Path(folder)


def check(wanted: Sequence[str]) -> None:
    """Raises UserError for what is neither a set nor a folder."""
    for name in wanted:
        if name not in (*OF_EXAMPLES, *ELSEWHERE) and not Path(name).is_dir():
            raise UserError(f"no set {name}: choose from {', '.join((*OF_EXAMPLES, *ELSEWHERE))}, or name the folder of a project")
