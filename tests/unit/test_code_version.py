"""The code that is recorded with a model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import driftloop
from driftloop.code_version import code_version, same_code, sources_digest


def version_of(folder: Path, **env: str) -> str:
    """As a process says whose ``driftloop`` is a copy in ``folder``."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); from driftloop.code_version import code_version; print(code_version())"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(folder)], env=os.environ | env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Two modules of the library, as its own package."""
    package = tmp_path / "driftloop"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "code_version.py").write_bytes((Path(driftloop.__file__).parent / "code_version.py").read_bytes())
    return tmp_path


def test_it_is_a_version_as_packaging_has_it() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\+src\.[0-9a-f]{12}(\.git\.[0-9a-f]{12}(\.changed)?)?", code_version())


def test_sources_are_named_by_their_content_and_place(copy: Path) -> None:
    package = copy / "driftloop"
    before = sources_digest(package)
    (package / "notes.txt").write_text("not code")
    assert sources_digest(package) == before

    (package / "__init__.py").rename(package / "other.py")
    moved = sources_digest(package)
    (package / "other.py").write_text("x = 1\n")
    assert len({before, moved, sources_digest(package)}) == 3


def test_the_commit_is_that_of_the_files(copy: Path) -> None:
    assert ".git." not in version_of(copy)

    git(copy, "init")
    git(copy, "commit", "--allow-empty", "-m", "a repository that the files are not of")
    assert ".git." not in version_of(copy)

    git(copy, "add", "driftloop/__init__.py", "driftloop/code_version.py")
    git(copy, "commit", "-m", "they are")
    committed = version_of(copy)
    assert re.search(r"\.git\.[0-9a-f]{12}$", committed)

    (copy / "driftloop" / "__init__.py").write_text("x = 1\n")
    changed = version_of(copy)
    assert changed.endswith(".changed")
    assert not same_code(committed, changed)


def test_an_image_is_told_its_commit(copy: Path) -> None:
    told = version_of(copy, DRIFTLOOP_COMMIT="0123456789abcdef0123")
    assert told.endswith(".git.0123456789ab")
    assert same_code(told, version_of(copy))
