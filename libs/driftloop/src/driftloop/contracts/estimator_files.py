"""Libraries whose estimators are stored in formats of their own, beside the skops file: a row each. Imports none of them."""

import re
from typing import NamedTuple

SKOPS_FILE = "model.skops"
MIB = 1024 * 1024


class FileFormat(NamedTuple):
    """``library``: its module, and the extra that installs it. ``suffix`` and largest size of its files."""

    library: str
    suffix: str
    max_bytes: int


FORMATS = (
    FileFormat("catboost", "cbm", 256 * MIB),
    FileFormat("lightgbm", "txt", 256 * MIB),
    FileFormat("xgboost", "json", 256 * MIB),
)
ESTIMATOR_LIBRARIES = tuple(row.library for row in FORMATS)
_BY_LIBRARY = {row.library: row for row in FORMATS}
_FILE = re.compile(rf"({'|'.join(ESTIMATOR_LIBRARIES)})-([1-9][0-9]{{0,2}})\.([a-z]+)", re.ASCII)


def file_name(library: str, number: int) -> str:
    """Of the ``number``-th estimator of a version, from 1."""
    return f"{library}-{number}.{_BY_LIBRARY[library].suffix}"


def format_of(library: str) -> FileFormat:
    return _BY_LIBRARY[library]


def format_of_file(name: str) -> FileFormat | None:
    """The format of a version's file; None for a name that ``file_name`` does not give."""
    found = _FILE.fullmatch(name)
    row = _BY_LIBRARY[found[1]] if found else None
    return row if row is not None and found is not None and found[3] == row.suffix else None


def missing(library: str) -> str:
    """What to do about a library that is not installed."""
    return f"{library} is not installed here: pip install 'driftloop[{library}]', in the trainer and in the predictor"
