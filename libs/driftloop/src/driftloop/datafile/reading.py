"""A file as a table. What is written as text, as all of CSV is, stays text here: ``datafile.values`` says what it means."""

from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from driftloop.errors import UserError

SEPARATORS = ",;\t|"
SHOWN_NAMES = 40
HEADER_BYTES = 1 << 20


def read_table(path: Path, missing: Collection[str] = ()) -> pa.Table:
    """All columns of a Parquet, CSV or JSON-lines file. Text without its spaces at both ends; empty text, and what is one of
    ``missing``, is null. Raises UserError for what cannot be read, in a sentence."""
    readers = {".parquet": pq.read_table, ".csv": _read_csv, ".jsonl": _read_json, ".ndjson": _read_json}
    read = readers.get(path.suffix.lower())
    if read is None:
        raise UserError(f"{path}: a data file is one of {', '.join(readers)}")
    try:
        table = read(path)
    except FileNotFoundError as exc:
        raise UserError(f"{path}: there is no such file") from exc
    except (OSError, pa.ArrowException, UnicodeDecodeError) as exc:
        if (encoding := _no_utf8(path)) is not None:
            raise UserError(f"{path}: {encoding}") from exc
        raise UserError(f"{path}: {exc}") from exc
    if twice := sorted({name for name in table.column_names if table.column_names.count(name) > 1}):
        raise UserError(f"{path}: {len(twice)} names stand over several columns: {', '.join(twice[:5])}; give each column its own")
    if not table.num_rows:
        raise UserError(f"{path}: the file has no rows")
    words = pa.array(["", *missing], pa.string())
    return pa.table({name: _cleaned(table.column(name), words) for name in table.column_names})


def named_column(path: Path, table: pa.Table, name: str, role: str) -> pa.ChunkedArray:
    """Raises UserError where there is none of that name; ``role``: what it was to be."""
    if name not in table.column_names:
        known = ", ".join(table.column_names[:SHOWN_NAMES])
        raise UserError(f"{path} has no column {name!r} for {role}; it has {known}: name the right one in [backtest] of driftloop.toml")
    return table.column(name)


def is_text(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(column.type))


def _read_csv(path: Path) -> pa.Table:
    """Every column as text: what its first rows look like does not decide about the others."""
    with path.open("rb") as file:
        header = file.readline(HEADER_BYTES).decode("utf-8", errors="replace")
    separator = max(SEPARATORS, key=header.count)
    parsing = pa_csv.ParseOptions(delimiter=separator, newlines_in_values='"' in header or _quoted(path))
    with pa_csv.open_csv(path, parse_options=parsing) as reader:
        names = reader.schema.names
    types = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    return pa_csv.read_csv(path, parse_options=parsing, convert_options=types)


def _no_utf8(path: Path) -> str | None:
    """What to do about a text file in another encoding; None where it is none."""
    if path.suffix.lower() == ".parquet" or not path.is_file():
        return None
    seen = 0
    with path.open("rb") as file:
        start = file.read(2)
        if start in (b"\xff\xfe", b"\xfe\xff"):
            return "the file is in UTF-16, and UTF-8 is read: save it as that, or iconv -f UTF-16 -t UTF-8"
        file.seek(0)
        for line in iter(lambda: file.readline(HEADER_BYTES), b""):
            seen += 1
            try:
                line.decode()
            except UnicodeDecodeError as exc:
                if exc.end == len(line) == HEADER_BYTES:
                    continue  # cut in the middle of a character
                told = f"line {seen:,} is no UTF-8 (byte {exc.object[exc.start]:#04x})"
                return f"{told}: save it as that, or, if it is Latin-1, iconv -f ISO-8859-1 -t UTF-8"
    return None


def _quoted(path: Path) -> bool:
    """Whether a value may hold a line's end: only what is quoted can, and reading is faster where none is."""
    with path.open("rb") as file:
        return any(b'"' in block for block in iter(lambda: file.read(HEADER_BYTES), b""))


def _read_json(path: Path) -> pa.Table:
    try:
        return pa_json.read_json(path)
    except pa.ArrowInvalid as exc:
        if "changed from" in str(exc):
            raise UserError(f"{path}: a column holds two types: {exc}; write it as one of them") from exc
        raise


def _cleaned(column: pa.ChunkedArray, missing: pa.Array) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.string())
    if not is_text(column):
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(trimmed, value_set=missing), pa.scalar(None, pa.string()), trimmed)
