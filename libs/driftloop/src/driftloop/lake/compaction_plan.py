"""Which small files are merged: values in, values out.

Files are sorted into size classes, each eight times as large as the one before, and a class is merged when it holds
eight of them. So a row is rewritten once per class, and a table has a handful of files per class however many commits
it had. Within a class neighbours in event time go together, so that the files' time statistics stay narrow.
"""

import math
from collections.abc import Sequence

from driftloop.contracts.values import Part
from driftloop.lake.parquet import file_name
from driftloop.lake.table import FileEntry

_SMALLEST = 64 * 1024  # bytes; below it, files are of one class
_LARGEST_GROUP = 500  # files of one merge: their rows are in memory together


class CompactionRules(Part, frozen=True, kw_only=True):
    """A merged file has at most ``target_bytes`` (before merging) and ``target_rows``; one of half that is left alone for ever.

    ``fan_in``: how many files of a class are merged, at least; also the ratio between classes.
    """

    target_bytes: int = 32 * 1024 * 1024
    target_rows: int = 250_000  # decoded, a hundred bytes each or a thousand: what a merge may hold in memory
    fan_in: int = 8


def plan(files: Sequence[FileEntry], rules: CompactionRules, *, everything: bool = False) -> list[tuple[FileEntry, ...]]:
    """Groups of live files to be merged, each into one. ``everything``: whatever the classes, so that few files are left.

    Files that others wrote are left alone: nothing is known of their rows' topics.
    """
    small = [f for f in files if file_name(f.path) is not None and not _full(f.size, f.rows, rules)]
    classes: dict[int, list[FileEntry]] = {}
    for file in sorted(small, key=lambda f: (f.event_time_min, f.event_time_max, f.path)):
        classes.setdefault(0 if everything else _size_class(file.size, rules.fan_in), []).append(file)
    groups = [group for number in sorted(classes) for group in _neighbours(classes[number], rules)]
    return [group for group in groups if len(group) >= (2 if everything else rules.fan_in) or (len(group) > 1 and _sum_full(group, rules))]


def _neighbours(files: Sequence[FileEntry], rules: CompactionRules) -> list[tuple[FileEntry, ...]]:
    """Files one after another, cut before each that would make a group too large."""
    groups: list[list[FileEntry]] = [[]]
    for file in files:
        group = [*groups[-1], file]
        if sum(f.size for f in group) > rules.target_bytes or sum(f.rows for f in group) > rules.target_rows or len(group) > _LARGEST_GROUP:
            groups.append([])
        groups[-1].append(file)
    return [tuple(group) for group in groups]


def _size_class(size: int, ratio: int) -> int:
    return max(0, 1 + math.floor(math.log(size / _SMALLEST, ratio)))


def _full(size: int, rows: int, rules: CompactionRules) -> bool:
    return 2 * size >= rules.target_bytes or 2 * rows >= rules.target_rows


def _sum_full(group: Sequence[FileEntry], rules: CompactionRules) -> bool:
    return _full(sum(f.size for f in group), sum(f.rows for f in group), rules)
