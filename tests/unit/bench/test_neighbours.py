import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from bench.loop.neighbours import ask
from bench.neighbours import given
from bench.neighbours.make_env import FOLDER, MADE, NEIGHBOURS, NotMadeError, environment, folder_of, last_line

REQUEST = {"task": "binary", "features": {"x": "number", "k": "category", "n": "integer"}, "bounds": [4, 6, 9]}


def made(cache: Path, name: str, python: str) -> Path:
    """An environment that is there already, whose Python is this script."""
    folder = folder_of(name, cache, FOLDER / f"requirements-{name}.txt")
    program = folder / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(python)
    program.chmod(0o755)
    (folder / MADE).touch()
    return program


def test_a_folder_tells_what_models_said_of_each_window(tmp_path: Path) -> None:
    (tmp_path / given.REQUEST).write_text(json.dumps(REQUEST))
    np.savez(tmp_path / given.OUTPUTS, errors_0=np.arange(5.0), errors_1=np.array([7.0, 8.0, 9.0]), classes_1=np.array(["a", "b"]))
    found = given.read(tmp_path)
    assert (found.numbers, found.categories) == (["x", "n"], ["k"])
    assert found.outputs(0, 0)["errors"].tolist() == [0, 1]
    assert found.outputs(0, 1)["errors"].tolist() == [2, 3, 4]
    later = found.outputs(1, 1)
    assert later["errors"].tolist() == [7, 8, 9]
    assert later["classes"].tolist() == ["a", "b"]


def test_a_trigger_is_asked_window_after_window_about_the_model_that_answers() -> None:
    asked = []

    def fires(w: int, fitted: int) -> str | None:
        asked.append((w, fitted))
        return f"{w}" if w in (2, 3) else None

    assert given.timing(5, fires) == [(2, "2"), (3, "3")]
    assert asked == [(1, 0), (2, 0), (3, 2), (4, 3)]


def test_an_environment_is_made_once_and_anew_for_other_requirements(tmp_path: Path) -> None:
    python = made(tmp_path, "river", "#!/bin/sh\nexit 7\n")
    assert environment("river", tmp_path) == python
    other = tmp_path / "other.txt"
    other.write_text("no-hash\n")
    for _ in range(2):  # what could not be made is tried again
        with pytest.raises(NotMadeError, match="could not be installed"):
            environment("river", tmp_path, requirements=other)


def test_what_a_neighbour_decides_is_taken_from_its_file(tmp_path: Path) -> None:
    written = json.dumps({"version": "river 1", "refits": [[3, "why"], [5, "why"]]})
    made(tmp_path / "cache", "river", f"#!/bin/sh\ncat > \"$2/{given.DECISIONS}\" <<'E'\n{written}\nE\n")
    assert ask("river", tmp_path, tmp_path / "cache") == ([3, 5], "river 1")


def test_a_neighbour_that_cannot_be_run_has_its_last_words_as_the_reason(tmp_path: Path) -> None:
    made(tmp_path / "cache", "river", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / given.DECISIONS).write_text('{"version": "of an earlier run", "refits": []}')
    assert ask("river", tmp_path, tmp_path / "cache") == (None, "not run: ModuleNotFoundError: No module named 'river'")


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_requirements_are_pinned_with_hashes_and_name_no_place(name: str) -> None:
    text = (FOLDER / f"requirements-{name}.txt").read_text()
    requirements = re.split(r"(?<!\\)\n", text.strip())
    assert "://" not in text
    assert all(re.match(r"[\w.-]+==\S+ .*--hash=sha256:", " ".join(one.split())) for one in requirements)
    asked = [line.split("#")[0].strip() for line in (FOLDER / f"requirements-{name}.in").read_text().splitlines()]
    assert asked[0] in {one.split(" ")[0] for one in requirements}
    assert (FOLDER / f"run_{name}.py").exists()


def test_the_last_line_that_says_something_is_the_reason() -> None:
    assert last_line("Traceback\nValueError: no\n\n") == "ValueError: no"
    assert last_line(b"") == "no reason was given"
