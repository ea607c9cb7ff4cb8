"""Which of the libraries of estimators that are extras a project's Python names."""

import ast
from collections.abc import Iterator, Mapping

from driftloop.contracts.estimator_files import ESTIMATOR_LIBRARIES


def imported_libraries(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Of ESTIMATOR_LIBRARIES those that a Python file of the project imports; sorted. What cannot be parsed imports none."""
    modules = {module for name, data in files.items() if name.endswith(".py") for module in _imported(data)}
    return tuple(library for library in ESTIMATOR_LIBRARIES if library in modules)


def _imported(source: bytes) -> Iterator[str]:
    try:
        nodes = ast.walk(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
