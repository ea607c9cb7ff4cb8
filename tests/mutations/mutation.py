"""What a mutation is, and whether it still fits the tree: its text occurs exactly once, and its tests are there."""

import ast
from pathlib import Path
from typing import NamedTuple

LIBRARY = "libs/driftloop/src/driftloop"


def service(name: str) -> str:
    """Folder of a service's package."""
    return f"services/{name}/src/driftloop_{name}"


class Mutation(NamedTuple):
    """One guard, and how to take it out: ``text``, which occurs exactly once in ``file``, becomes ``replacement``.

    Each of ``tests`` has to go red then: node ids without parameters; one case of several is enough.
    """

    name: str
    guard: str  # a sentence about the program as it is
    file: str  # from the root of the repository
    text: str
    replacement: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Take the guard out of the tree at ``root``. Raises ValueError when the mutation is stale."""
        path = root / self.file
        before = path.read_text()
        if before.count(self.text) != 1:
            raise ValueError(f"the text occurs {before.count(self.text)} times in {self.file}")
        path.write_text(before.replace(self.text, self.replacement))


def stale(mutation: Mutation, root: Path) -> list[str]:
    """What no longer fits; empty: nothing."""
    found = []
    path = root / mutation.file
    code = path.read_text() if path.is_file() else None
    if code is None:
        found.append(f"{mutation.file} does not exist")
    elif code.count(mutation.text) != 1:
        found.append(f"the text occurs {code.count(mutation.text)} times in {mutation.file}")
    elif not _compiles(code.replace(mutation.text, mutation.replacement)):
        found.append("the replacement leaves no Python")
    if mutation.text == mutation.replacement:
        found.append("the replacement changes nothing")
    if not mutation.tests:
        found.append("no test has to notice")
    return found + [f"there is no test {test}" for test in mutation.tests if not _exists(test, root)]


def _compiles(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _exists(test: str, root: Path) -> bool:
    """By reading: importing a test's file starts what it imports."""
    file, *names = test.split("::")
    path = root / file
    if not path.is_file() or not names:
        return False
    body: list[ast.stmt] = ast.parse(path.read_text()).body
    for name in names:
        named = [node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name]
        if not named:
            return False
        body = named[-1].body
    return names[-1].startswith("test_")
