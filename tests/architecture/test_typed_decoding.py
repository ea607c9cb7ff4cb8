"""Every type that msgspec decodes or converts to was made known under a lock first: see `driftloop.contracts.typed`."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "libs").glob("*/src/**/*.py"), *(ROOT / "services").glob("*/src/**/*.py")]
# call: where the type stands when it is not named
TYPED = {
    "msgspec.convert": 1,
    "msgspec.json.decode": None,
    "msgspec.msgpack.decode": None,
    "msgspec.json.Decoder": 0,
    "msgspec.msgpack.Decoder": 0,
}
OWN = "typed.py"


def test_every_type_is_prepared() -> None:
    calls = [(path, call) for path in SOURCES if path.name != OWN for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    found = [(path, call) for path, call in calls if isinstance(call, ast.Call) and ast.unparse(call.func) in TYPED]
    assert len(found) > 40
    bare = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call in found
        if (kind := told(call)) is not None and not ast.unparse(kind).startswith("prepared(")
    ]
    assert bare == []


def told(call: ast.Call) -> ast.expr | None:
    """The type that the call names; None for one that decodes to plain values."""
    named = [word.value for word in call.keywords if word.arg == "type"]
    place = TYPED[ast.unparse(call.func)]
    return named[0] if named else call.args[place] if place is not None and len(call.args) > place else None
