"""Where in a TOML text a key stands, for error messages (the parser in the standard library keeps no positions)."""

import re


def line_of(text: str, key: str) -> int:
    """1-based line of a dotted key: its assignment, else its table's header, else the first line."""
    parts = re.sub(r"\[[^\]]*\]", "", key).split(".") if key else []  # cuts[0] stands on the line of cuts
    table: list[str] = []
    best = 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            table = [p.strip().strip("\"'") for p in header[1].split(".")]
            if parts[: len(table)] == table:
                best = number
            continue
        assignment = re.match(r"\s*([A-Za-z0-9_.\-\"']+)\s*=", line)
        if assignment:
            name = table + [p.strip("\"'") for p in assignment[1].split(".")]
            if name == parts[: len(name)] and len(name) > len(table):
                return number
    return best
