"""A port says what it promises: every method of it."""

import ast
from pathlib import Path

import pytest

import driftloop.ports

PORTS = [
    node
    for node in ast.parse(Path(driftloop.ports.__file__).read_text(encoding="utf-8")).body
    if isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
]


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.name)
def test_a_port_and_each_of_its_methods_say_what_they_promise(port: ast.ClassDef) -> None:
    methods = [node for node in port.body if isinstance(node, ast.FunctionDef)]
    assert methods
    assert [node.name for node in (port, *methods) if not ast.get_docstring(node)] == []
