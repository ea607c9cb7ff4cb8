"""A job from its files to its result, whatever the user's code or data do on the way."""

import sys
import traceback
from pathlib import Path

import msgspec
import pyarrow as pa

from driftloop.contracts.typed import prepared
from driftloop.errors import UserError
from driftloop.project.reading import open_archive
from driftloop.training.fit import TrainingRows
from driftloop.training.job import JOB_FILE, PROJECT_FILE, ROWS_FILE, Job, Result, RunFailure, RunProgress
from driftloop.training.run import TrainingRun
from driftloop.training.user_code import MAX_DETAIL_CHARACTERS


def run_job(folder: Path) -> Result:
    """The result of the job in ``folder``; never raises for what the user's code or data do."""
    job = msgspec.json.decode((folder / JOB_FILE).read_bytes(), type=prepared(Job))
    try:
        project = open_archive((folder / PROJECT_FILE).read_bytes())
        with pa.memory_map(str(folder / ROWS_FILE)) as source:
            rows = TrainingRows(pa.ipc.open_file(source).read_all(), project)
            return Result(trained=TrainingRun(job, project, rows, folder, _report).run())
    except UserError as exc:
        return Result(failure=RunFailure(reason=str(exc), detail=getattr(exc, "detail", "")))
    except MemoryError:
        return Result(failure=RunFailure(reason="not enough memory to train", detail=_trace()))
    except Exception as exc:  # noqa: BLE001  the parent turns it into a fact; there is nobody else to tell
        return Result(failure=RunFailure(reason=f"training broke down: {type(exc).__name__}: {exc}"[:500], detail=_trace()))


def _report(progress: RunProgress) -> None:
    sys.stdout.write(msgspec.json.encode(progress).decode() + "\n")
    sys.stdout.flush()


def _trace() -> str:
    return traceback.format_exc()[-MAX_DETAIL_CHARACTERS:]
