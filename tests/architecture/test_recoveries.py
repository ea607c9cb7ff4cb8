"""What pages say of tests: each recovery of docs/recoveries.md is done by a test that is there, with the commands that the page shows."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_, *_SECTIONS = re.split(r"^## (.+)\n", (ROOT / "docs" / "recoveries.md").read_text(), flags=re.MULTILINE)
SECTIONS = dict(zip(_SECTIONS[::2], _SECTIONS[1::2], strict=True))
TABLE = SECTIONS.pop("The tests")
NAMED = {
    title: [(ROOT / path, name) for path, name in re.findall(r"`(tests/[^`]+\.py)::(\w+)`", tests)]
    for title, tests in re.findall(r"^\| \[(\d[^\]]*)\]\([^)]*\) \| (.+) \|$", TABLE, re.MULTILINE)
}


def commands(section: str) -> list[list[str]]:
    """The words of each command up to its first argument, such as ``["lake", "accept-gap"]``."""
    from driftloop.cli.main import cli

    found = []
    for line in re.findall(r"^driftloop (.+)$", section, re.MULTILINE):
        words: list[str] = []
        at: Any = cli
        for word in line.split():
            if not hasattr(at, "get_command"):
                break
            at = at.get_command(None, word)
            assert at is not None, line
            words.append(word)
        found.append(words)
    return found


def runs(test: str, words: list[str]) -> bool:
    """Whether the words stand there as a command: in one text, in texts one after the other, or the last as an argument or a call."""
    phrase = r"[\"', ]+".join(map(re.escape, words))
    return re.search(rf"\bdriftloop[\"', (]+{phrase}\b|[\"(]{phrase}\b|[\"(]{re.escape(words[-1])}[\",)]", test) is not None


def test_there_are_ten_recoveries_and_each_has_its_line_in_the_table() -> None:
    assert len(SECTIONS) >= 10
    assert list(NAMED) == list(SECTIONS)
    numbers = [int(title.partition(".")[0]) for title in SECTIONS]
    assert numbers[0] == 1
    assert all(after == before + 1 for before, after in pairwise(numbers))


@pytest.mark.parametrize("title", SECTIONS)
def test_a_recovery_says_what_one_sees_what_to_do_and_when_it_is_well(title: str) -> None:
    assert all(said in SECTIONS[title] for said in ("**You see**", "**Do", "**It is well**"))
    assert NAMED[title] != []
    for path, name in NAMED[title]:
        assert re.search(rf"^ *(?:async )?def {name}\(", path.read_text(), re.MULTILINE), f"{path}::{name}"


@pytest.mark.parametrize("title", SECTIONS)
def test_the_commands_of_a_recovery_are_run_by_its_tests(title: str) -> None:
    tests = [path.read_text() for path, _ in NAMED[title]]
    assert [words for words in commands(SECTIONS[title]) if not any(runs(test, words) for test in tests)] == []


def test_the_tutorials_commands_are_those_that_a_newcomer_types_in_a_test() -> None:
    shown = re.findall(r"^driftloop [^#\n]+?(?= *#|$)", (ROOT / "docs" / "first-project.md").read_text(), re.MULTILINE)
    typed = (ROOT / "tests" / "e2e" / "test_newcomer.py").read_text().replace("{MODEL}", "hives-swarmed")
    assert len(shown) >= 4
    assert [command for command in shown if command not in typed] == []


def test_files_of_tests_that_a_page_names_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    named = {(page.name, path) for page in pages for path in re.findall(r"`(tests/[\w/]+\.py)\b", page.read_text())}
    assert len(named) > 10
    assert {(page, path) for page, path in named if not (ROOT / path).is_file()} == set()
