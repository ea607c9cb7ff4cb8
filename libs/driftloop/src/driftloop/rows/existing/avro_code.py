"""A reader of one Avro schema, written as Python for it: the mapped fields are read, all others passed over.

fastavro walks the schema anew for every value, which costs eight times what decoding JSON costs (ADR 0024). Code that is written for
the schema once does only what the bytes need. Nothing of the schema's text gets into that code, only numbers: symbols and the
readers of what is rare are handed to it as objects.
"""

import itertools
import struct
from collections.abc import Callable, Sequence, Set
from typing import Any

from driftloop.errors import InvalidMessage
from driftloop.rows.existing.avro_schema import AvroSchema, base, scale_of
from driftloop.rows.existing.avro_values import ReadAny, bad, span, tail, value_reader
from driftloop.rows.existing.kinds import Column
from driftloop.rows.existing.paths import getter

DEEPEST = 12  # records and unions inside one another that are written out; what lies deeper is read the slow way
MOST_LINES = 50_000
SHORTEST_RUN = 3  # of numbers that are taken at once
MOST_BRANCHES = 64  # of a union, whose number is one byte
_VARINT = ("n = b[p]", "p += 1", "if n > 127: n, p = tail(b, n, p)")
# Of texts and bytes, from p to q. The two bits: a size of more than one byte, and one below zero.
_SPAN = ("n = b[p]", "if n & 129: p, q = span(b, p)", "else: p += 1; q = p + (n >> 1)")
_FIXED = {"float": ("F", 4), "double": ("D", 8)}

Read = Callable[[Sequence[bytes], int], list[list[Any]]]


def compiled(schema: AvroSchema, columns: Sequence[Column], texts: Set[int] = frozenset()) -> Read:
    """Takes the columns' values out of records, each from a place in its bytes on; times are numbers as they are written. Of the
    columns ``texts``, which hold text alone, they are bytes in UTF-8 that nobody has looked at.

    The function raises InvalidMessage, IndexError, ValueError or struct.error for bytes that are not of the schema.
    """
    code = _Code(schema, columns, texts)
    code.none_for(set(range(len(columns))) - code.field(schema.root, list(range(len(columns))), 0, depth=0))
    numbers = range(len(columns))
    lines = [
        "def read(values, start):",
        *(f"    c{i} = []; a{i} = c{i}.append" for i in numbers),
        "    for b in values:",
        "        p = start",
        *(f"        {line}" for line in code.lines),
        "        if p != len(b): bad('it ends before or behind the end of the value')",
        f"    return [{', '.join(f'c{i}' for i in numbers)}]",
    ]
    made: dict[str, Any] = dict(code.given)
    exec(compile("\n".join(lines), "<avro schema>", "exec"), made)
    found: Read = made["read"]
    return found


class _Code:
    def __init__(self, schema: AvroSchema, columns: Sequence[Column], texts: Set[int]) -> None:
        self._schema, self._columns, self._texts = schema, columns, texts
        self._indent = ""
        self._readers: dict[int, ReadAny] = {}
        self.lines: list[str] = []
        self.given: dict[str, Any] = {
            "tail": tail,
            "span": span,
            "bad": bad,
            "F": struct.Struct("<f").unpack_from,
            "D": struct.Struct("<d").unpack_from,
            "TRUTH": (False, True),
            "from_bytes": int.from_bytes,
            "encoded": lambda text: None if text is None else text.encode(),
        }

    def field(self, kind: Any, wanted: list[int], at: int, depth: int) -> set[int]:
        """``wanted``: columns whose path goes through here, all with ``at`` steps taken. Returns those that get a value here."""
        kind = self._schema.resolved(kind)
        here = [i for i in wanted if len(self._columns[i].source.steps) == at]
        match base(kind):
            case "record" if depth < DEEPEST and not here:
                return self._record(kind, wanted, at, depth)
            case "union" if depth < DEEPEST:
                return self._union(kind, wanted, at, depth)
            case "record" | "union" | "array" | "map":
                return self._rare(kind, wanted, at)
            case "null":
                return set()
            case _:
                self._plain(kind, here)
                return set(here)

    def none_for(self, columns: set[int]) -> None:
        for i in sorted(columns):
            self._say(f"a{i}(None)")

    def _record(self, kind: Any, wanted: list[int], at: int, depth: int) -> set[int]:
        found: set[int] = set()
        for shape, run in itertools.groupby(kind["fields"], lambda field: self._numbers(field["type"])):
            fields = [(field["type"], [i for i in wanted if self._columns[i].source.steps[at] == field["name"]]) for field in run]
            inside = {i for _, of_field in fields for i in of_field}
            if shape is not None and len(fields) >= SHORTEST_RUN and all(len(self._columns[i].source.steps) == at + 1 for i in inside):
                self._run(shape, fields, at, depth)
                found |= inside
                continue
            for of, of_field in fields:
                found |= self.field(of, of_field, at + 1, depth + 1)
        return found

    def _numbers(self, kind: Any) -> tuple[str, int] | None:
        """A type that is a floating-point number or null: which, and the number's branch."""
        kind = self._schema.resolved(kind)
        if not isinstance(kind, list) or len(kind) != 2:
            return None
        branches = [base(self._schema.resolved(branch)) for branch in kind]
        number = next((i for i, name in enumerate(branches) if name in _FIXED), None)
        return (branches[number], number) if number is not None and branches[1 - number] == "null" else None

    def _run(self, shape: tuple[str, int], fields: Sequence[tuple[Any, list[int]]], at: int, depth: int) -> None:
        """Numbers one after another, taken all at once where none of them is null."""
        name, branch = shape
        run, tags = f"S{len(self.given)}", f"T{len(self.given)}"
        packed = struct.Struct("<" + ("Bf" if name == "float" else "Bd") * len(fields))
        self.given |= {run: packed.unpack_from, tags: (2 * branch,) * len(fields)}
        self._say(f"t = {run}(b, p) if len(b) - p >= {packed.size} else ()", f"if t[::2] == {tags}:")
        before, self._indent = self._indent, self._indent + " "
        for place, (_, columns) in enumerate(fields):
            self._give(columns, f"t[{2 * place + 1}]")
        self._say(f"p += {packed.size}")
        self._indent = before
        self._say("else:")
        self._indent = before + " "
        for kind, columns in fields:
            self.field(kind, columns, at + 1, depth + 1)
        self._indent = before

    def _union(self, kind: Any, wanted: list[int], at: int, depth: int) -> set[int]:
        self._say("u = b[p]", "p += 1")
        branches = [(index, self._schema.resolved(branch)) for index, branch in enumerate(kind[:MOST_BRANCHES])]
        for place, (index, branch) in enumerate(sorted(branches, key=lambda pair: base(pair[1]) == "null")):  # which is rarer
            self._say(f"{'elif' if place else 'if'} u == {2 * index}:")
            before, self._indent = self._indent, self._indent + " "
            self._say("pass")
            self.none_for(set(wanted) - self.field(branch, wanted, at, depth + 1))
            self._indent = before
        self._say("else: bad('a branch that the union has not')")
        return set(wanted)

    def _rare(self, kind: Any, wanted: list[int], at: int) -> set[int]:
        """Read as a whole; the values are taken out of it."""
        name = f"R{len(self.given)}"
        self.given[name] = value_reader(self._schema, kind, self._readers)
        self._say(f"o, p = {name}(b, p, 0)")
        for i in wanted:
            get = f"G{len(self.given)}"
            self.given[get] = getter(self._columns[i], at)
            self._say(f"a{i}(encoded({get}(o)))" if i in self._texts else f"a{i}({get}(o))")
        return set(wanted)

    def _plain(self, kind: Any, here: list[int]) -> None:
        match base(kind):
            case "boolean":
                self._give(here, "TRUTH[b[p]]") if here else self._say("if b[p] > 1: bad('a boolean that is neither')")
                self._say("p += 1")
            case "int" | "long":
                self._say(*_VARINT)
                self._give(here, "(n >> 1) ^ -(n & 1)")
            case "float" | "double" as name:
                unpack, size = _FIXED[name]
                self._give(here, f"{unpack}(b, p)[0]")
                self._say(f"p += {size}")
            case "enum":
                symbols = f"E{len(self.given)}"
                self.given[symbols] = tuple(symbol.encode() for symbol in kind["symbols"])  # bytes, as all text
                self._say(*_VARINT, f"if n & 1 or n >= {2 * len(kind['symbols'])}: bad('a symbol that the enum has not')")
                self._give(here, f"{symbols}[n >> 1]", text=True)
            case "bytes" | "string" | "fixed" as name:
                self._say(*([f"q = p + {int(kind['size'])}"] if name == "fixed" else _SPAN))
                scale = scale_of(kind)
                value = "b[p:q]" if scale is None else f"from_bytes(b[p:q], 'big', signed=True) / {10**scale}"
                self._give(here, value, text=name == "string")
                self._say("p = q")
            case other:
                raise InvalidMessage(f"the schema has a type {other!r}, which Avro has not")

    def _give(self, columns: Sequence[int], value: str, *, text: bool = False) -> None:
        for i in columns:
            self._say(f"a{i}({value}.decode())" if text and i not in self._texts else f"a{i}({value})")

    def _say(self, *lines: str) -> None:
        if len(self.lines) + len(lines) > MOST_LINES:
            raise InvalidMessage("the schema is too large")
        self.lines += [self._indent + line for line in lines]
