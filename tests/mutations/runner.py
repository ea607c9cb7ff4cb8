"""Runs pytest again and again in forks of one process: what tests import from others takes most of the time of a run.

Started in a copy of the tree as `python -m tests.mutations.runner`. Reads arguments and environment of a run as one line of JSON, and
answers with pytest's exit code. Nothing of driftloop is imported before a fork: each run meets the code as it is then.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

OUTPUT = ".pytest-output"  # in the copy: what the last run wrote
HUNG = -9
RUN_SECONDS = 1800  # for a run that hangs beyond pytest's own limit
_OTHERS = (
    *("pytest", "hypothesis.strategies", "numpy", "pandas", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet", "duckdb"),
    *("deltalake", "sklearn.ensemble", "sklearn.pipeline", "sklearn.compose", "sklearn.preprocessing", "skops.io"),
    *("httpx", "kafka", "minio", "msgspec", "starlette.applications", "uvicorn", "prometheus_client"),
)


def main() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _OTHERS:
            importlib.import_module(name)
    ours = [name for name in sys.modules if name.startswith("driftloop")]
    assert not ours, f"imported before the mutation: {ours}"
    for line in sys.stdin:
        sys.stdout.write(f"{_forked(**json.loads(line))}\n")
        sys.stdout.flush()


def _forked(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    child = os.fork()
    if child == 0:
        os.environ.update(environment)
        _run(arguments)
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return HUNG


def _run(arguments: Sequence[str]) -> None:
    code = 3
    try:
        os.setsid()
        with Path(OUTPUT).open("wb") as output, Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        import pytest

        code = int(pytest.main(list(arguments)))
    except BaseException:  # noqa: BLE001 - nothing of the fork may get back into the loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
