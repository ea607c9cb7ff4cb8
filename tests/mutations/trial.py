"""Trying mutations: a copy of the tree, the named tests on it, and what they said."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.mutations.mutation import Mutation
from tests.mutations.reporting import VARIABLE
from tests.mutations.runner import HUNG, OUTPUT
from tests.support.waiting import VARIABLE as PATIENCE

ROOT = Path(__file__).parents[2]
LITTLE_PATIENCE_SECONDS = 20.0
_PLUGINS = "-p no:xdist -p no:cacheprovider -p no:schemathesis -p tests.mutations.reporting"
_NO_WARNING = "ignore::pytest.PytestAssertRewriteWarning"  # of plugins that the runner has imported before the fork
_OPTIONS = ("-q", "--timeout-method=signal", "-W", _NO_WARNING, *_PLUGINS.split())
_BROKEN = ("NameError", "UnboundLocalError", "SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError")


class Ran(NamedTuple):
    """How a run of tests ended: the red ones with what they said, and why it was no run at all, if it was none."""

    red: Mapping[str, str]
    problem: str | None
    seconds: float


class Tried(NamedTuple):
    """``noticed``: by which of the mutation's tests, with the first line of what each said; ``missed``: the others."""

    mutation: Mutation
    noticed: Mapping[str, str]
    missed: Sequence[str]
    problem: str | None
    seconds: float

    @property
    def verdict(self) -> str:
        if self.problem is not None:
            return "no verdict"
        if self.missed:
            return "not noticed by all" if self.noticed else "NOT NOTICED"
        return "noticed"


class Copy:
    """The tree as it is on disk, without what git ignores. Mutations happen here and nowhere else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._report = folder / ".red-tests.json"
        self._runner: subprocess.Popen[str] | None = None
        names = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        ).stdout.decode()
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        sources = sorted((*folder.glob("libs/*/src"), *folder.glob("services/*/src")))
        self._environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (*sources, folder))),  # before the packages that are installed from ROOT
            VARIABLE: str(self._report),
            "DRIFTLOOP_CACHE": os.environ.get("DRIFTLOOP_CACHE", str(ROOT / ".driftloop" / "cache")),
        }
        self._time = int(time.time())
        self._check_imports(sources)

    def run(self, tests: Sequence[str], patience_seconds: float | None = None) -> Ran:
        """Run tests on the copy as it is now. ``patience_seconds``: what comes within seconds need not be waited for longer, where
        it is expected not to come."""
        began = time.monotonic()
        self._report.unlink(missing_ok=True)
        code = self._pytest([*_OPTIONS, *tests], {} if patience_seconds is None else {PATIENCE: str(patience_seconds)})
        seconds = time.monotonic() - began
        if code not in (0, 1) or not self._report.exists():
            said = (self.folder / OUTPUT).read_text(errors="replace").strip().splitlines()[-5:]
            return Ran({}, "pytest hung" if code == HUNG else "\n".join([f"pytest ended with {code}:", *said]), seconds)
        return Ran(json.loads(self._report.read_text()), None, seconds)

    def close(self) -> None:
        if self._runner is not None:
            self._runner.communicate()

    def _pytest(self, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
        if self._runner is None:
            self._runner = subprocess.Popen(
                [sys.executable, "-m", "tests.mutations.runner"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._runner.stdin is not None
        assert self._runner.stdout is not None
        self._runner.stdin.write(json.dumps({"arguments": list(arguments), "environment": dict(environment)}) + "\n")
        self._runner.stdin.flush()
        return int(self._runner.stdout.readline())

    @contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        path = self.folder / mutation.file
        before = path.read_text()
        mutation.apply(self.folder)
        self._date(path)
        try:
            yield
        finally:
            path.write_text(before)
            self._date(path)

    def _date(self, path: Path) -> None:
        """Give a changed file a time that none had: bytecode of a file of the same size and second would be taken for its own."""
        self._time += 2
        os.utime(path, (self._time, self._time))

    def _check_imports(self, sources: Sequence[Path]) -> None:
        """Else every mutation would go unnoticed, and be blamed on the tests."""
        packages = [path.name for source in sources for path in source.iterdir() if (path / "__init__.py").exists()]
        code = f"import importlib.util as u; print(*(u.find_spec(n).origin for n in {packages!r}), sep='\\n')"
        found = subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, env=self._environment, capture_output=True, text=True, check=True
        )
        strangers = [line for line in found.stdout.splitlines() if not Path(line).is_relative_to(self.folder)]
        if strangers:
            raise RuntimeError(f"the copy's tests would run the code of {', '.join(strangers)}")


@contextmanager
def copy_of_the_tree() -> Iterator[Copy]:
    with tempfile.TemporaryDirectory(prefix="driftloop-mutations-") as folder:
        copy = Copy(Path(folder).resolve())
        try:
            yield copy
        finally:
            copy.close()


def attempt(copy: Copy, mutation: Mutation) -> Tried:
    """Take the guard out, run its tests, put it back."""
    with copy.mutated(mutation):
        ran = copy.run(mutation.tests, LITTLE_PATIENCE_SECONDS)
    noticed = {test: said for test in mutation.tests if (said := _said(test, ran.red)) is not None}
    broken = next((said for said in noticed.values() if said.startswith(_BROKEN)), None)
    problem = ran.problem or (f"the mutated code does not run: {broken}" if broken else None)
    return Tried(mutation, noticed, [test for test in mutation.tests if test not in noticed], problem, ran.seconds)


def _said(test: str, red: Mapping[str, str]) -> str | None:
    """What the first red case of a test said; None: it is green."""
    return next((said.partition("\n")[0] for node, said in red.items() if node == test or node.startswith(f"{test}[")), None)
