"""Where in a TOML text a key stands, for error messages (the parser in the standard library keeps no positions)."""

import re


def line_of(text: str, key: str) -> int:
    """1-based line of a dotted key: its assignment, else its table's header, else the first line.

    ``notify[1].to`` is of the second ``[[notify]]``; another index says nothing: ``cuts[0]`` stands on the line of ``cuts``.
    """
    indexed = re.match(r"(\w+)\[(\d+)\]", key)
    parts = re.sub(r"\[[^\]]*\]", "", key).split(".") if key else []
    table: list[str] = []
    best, arrays = 1, 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*(\[)?\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            table = [p.strip().strip("\"'") for p in header[2].split(".")]
            if header[1] and indexed is not None and table == [indexed[1]]:
                arrays += 1
                if arrays != int(indexed[2]) + 1:
                    table = [""]  # another of its tables
                    continue
            if parts[: len(table)] == table:
                best = number
            continue
        assignment = re.match(r"\s*([A-Za-z0-9_.\-\"']+)\s*=", line)
        if assignment:
            name = table + [p.strip("\"'") for p in assignment[1].split(".")]
            if name == parts[: len(name)] and len(name) > len(table):
                return number
    return best
