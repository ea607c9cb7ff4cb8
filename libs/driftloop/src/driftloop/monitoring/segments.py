"""A window's rows by the categories of declared features: where a model is good and where it is not. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftloop.project.model import Project

MOST_CATEGORIES = 20  # of a feature in one window; the rest is one segment together


class Segment(NamedTuple):
    """The rows of one category; ``value`` None: of rows without one. ``others``: of all categories that are too many."""

    feature: str
    value: str | None
    others: bool
    rows: pa.Table


class SegmentMask(NamedTuple):
    """``Segment`` by which of n rows are its: ``mask``, (n,), without nulls."""

    feature: str
    value: str | None
    others: bool
    mask: pa.ChunkedArray


def segments(project: Project, rows: pa.Table) -> Iterator[Segment]:
    """By feature in the order declared, its largest categories first, of equal ones by name, then the others together. None of a feature
    that these rows do not have: it is newer than they are."""
    for segment in segment_masks(project, rows):
        yield Segment(segment.feature, segment.value, segment.others, rows.filter(segment.mask))


def segment_masks(project: Project, rows: pa.Table) -> Iterator[SegmentMask]:
    """``segments``, in the same order, with masks in the place of rows."""
    for feature in project.monitoring.segments:
        if feature in rows.column_names:
            yield from _by_category(feature, rows.column(feature))


def _by_category(feature: str, column: pa.ChunkedArray) -> Iterator[SegmentMask]:
    counts = [(entry["values"], entry["counts"]) for entry in pc.value_counts(column).to_pylist()]
    ordered = [value for value, _ in sorted(counts, key=lambda pair: (-pair[1], pair[0] is None, pair[0] or ""))]
    named = ordered[:MOST_CATEGORIES] if len(ordered) > MOST_CATEGORIES + 1 else ordered  # one category is no rest
    for value in named:
        mask = column.is_null() if value is None else pc.fill_null(pc.equal(column, value), False)
        yield SegmentMask(feature, value, False, mask)
    if len(named) < len(ordered):
        rest = pc.invert(pc.is_in(column, value_set=pa.array(named, pa.string())))
        yield SegmentMask(feature, None, True, rest)
