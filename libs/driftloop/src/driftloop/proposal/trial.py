"""A project that was just written is tried: it is read and checked, so are all rows of its file, and its pipeline is fitted on some."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from driftloop.artifact.scoring import target_values, to_frame
from driftloop.datafile.rows import read_rows
from driftloop.project.model import Project
from driftloop.project.reading import read_project
from driftloop.training.user_code import call, load_build

FITTED_ROWS = 2_000


class Trial(NamedTuple):
    project: Project
    rows: int  # with a label
    fitted: int


def tried(folder: Path, data: Path) -> Trial:
    """Raises UserError for what would not work later either."""
    project = read_project(folder)
    rows = read_rows(data, project).table
    some = rows.take(pa.array(np.linspace(0, len(rows) - 1, min(FITTED_ROWS, len(rows))).astype(np.int64)))
    with TemporaryDirectory(prefix="driftloop-init-") as where:
        build = load_build(project.files, Path(where))
        X, y = to_frame(some, project.schema), target_values(some.column("label"), project.schema)
        with threadpool_limits(1):  # of so few rows: several threads mostly wait for each other where the machine has other work
            call("fitting the pipeline that init has written", lambda: build().fit(X, y))
    return Trial(project, len(rows), len(some))
