"""What changed from one version of data to another: rows, labels, columns, distributions. Values in, values out."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import Part
from driftloop.datasets.diff_inputs import DiffInput
from driftloop.lake.split import SplitRule
from driftloop.statistics.comparison import compare
from driftloop.statistics.distances import STATISTICS
from driftloop.statistics.histograms import Counter, build_profile
from driftloop.statistics.profile import Column, Counts, Profile

EXAMPLES = 5
BINS = 20  # of a profile made here


class RowChanges(Part, frozen=True, kw_only=True):
    """Rows by event id. ``changed``: in both, but with another value in some feature that both have."""

    a: int
    b: int
    added: int
    removed: int
    changed: int

    def __add__(self, other: "RowChanges") -> "RowChanges":
        return RowChanges(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Correction(Part, frozen=True, kw_only=True):
    event_id: str
    before: Any
    after: Any


class LabelChanges(Part, frozen=True, kw_only=True):
    """Of events that both sides have: labels that came, were corrected, or went. ``examples`` are the first corrections; of
    sides that do not fit into memory, the first of those whose ids have the first hashes."""

    added: int
    corrected: int
    removed: int
    examples: tuple[Correction, ...]

    def __add__(self, other: "LabelChanges") -> "LabelChanges":
        return LabelChanges(
            added=self.added + other.added,
            corrected=self.corrected + other.corrected,
            removed=self.removed + other.removed,
            examples=(*self.examples, *other.examples)[:EXAMPLES],
        )


class SchemaChanges(Part, frozen=True, kw_only=True):
    added: dict[str, str]  # type by feature
    removed: dict[str, str]
    retyped: dict[str, tuple[str, str]]
    required: dict[str, tuple[bool, bool]]

    @property
    def none(self) -> bool:
        return not (self.added or self.removed or self.retyped or self.required)


class FeatureDistance(Part, frozen=True, kw_only=True):
    """Distances of b's rows from a's, on bins that a decides. Shares of b's rows; ``missing_before`` is a's.

    ``statistics``: every one of ``statistics.distances`` that applies; four of them have fields of their own as well, from
    before there was the table, null where they do not apply.
    """

    psi: float
    js: float
    ks: float | None
    wasserstein: float | None
    missing_before: float
    missing: float
    unseen: float
    out_of_range: float
    statistics: dict[str, float]


class Reference(Part, frozen=True, kw_only=True):
    """Whose histograms a is represented by: a model version's stored profile, or one made from a's rows (all null)."""

    model: str | None = None
    version: int | None = None
    profile: str | None = None


class DatasetDiff(Part, frozen=True, kw_only=True):
    a: str
    b: str
    rows: RowChanges
    labels: LabelChanges | None  # null: a side is a table without labels
    schema: SchemaChanges
    split_changed: bool
    features: dict[str, FeatureDistance]
    reference: Reference


class StoredProfile(NamedTuple):
    """A profile that was made from all of a's fitted rows when a model was trained on it."""

    reference: Reference
    profile: Profile


def difference(a: DiffInput, b: DiffInput, stored: StoredProfile | None = None) -> DatasetDiff:
    """From ``a`` to ``b``, both in memory. ``stored`` describes ``a``; without one a profile is made from its rows."""
    names = shared_features(a, b)
    rows, labels = changes(a.rows, b.rows, names)
    features = distances(a.rows, b.rows, a.schema, names, stored.profile if stored else None)
    return told(a, b, rows, labels, features, stored)


class Side(Protocol):
    """What is said of either side, beside its rows."""

    @property
    def name(self) -> str: ...
    @property
    def schema(self) -> StreamSchema: ...
    @property
    def split(self) -> SplitRule | None: ...
    @property
    def columns(self) -> Sequence[str]: ...


def shared_features(a: Side, b: Side) -> list[str]:
    """Features of one type that both sides have the values of."""
    shared = [f for f in a.schema.features if any(f.name == g.name and f.type == g.type for g in b.schema.features)]
    return [f.name for f in shared if f.name in a.columns and f.name in b.columns]


def told(
    a: Side,
    b: Side,
    rows: RowChanges,
    labels: LabelChanges | None,
    features: dict[str, FeatureDistance],
    stored: StoredProfile | None,
) -> DatasetDiff:
    return DatasetDiff(
        a=a.name,
        b=b.name,
        rows=rows,
        labels=labels,
        schema=schema_changes(a.schema, b.schema),
        split_changed=a.split != b.split,
        features=features,
        reference=stored.reference if stored else Reference(),
    )


def changes(a: pa.Table, b: pa.Table, names: Sequence[str]) -> tuple[RowChanges, LabelChanges | None]:
    """By event id, of all rows or of those whose id has one hash: such parts add up. ``names``: the features to compare."""
    at = pc.index_in(b.column("event_id"), value_set=a.column("event_id").combine_chunks()).combine_chunks()
    both_b = b.filter(at.is_valid())
    both_a = a.take(at.drop_null())
    changed = np.zeros(both_b.num_rows, np.bool_)
    for name in names:
        changed |= _differ(both_a.column(name), both_b.column(name))
    n_both = both_b.num_rows
    rows = RowChanges(a=a.num_rows, b=b.num_rows, added=b.num_rows - n_both, removed=a.num_rows - n_both, changed=int(changed.sum()))
    return rows, _labels(both_a, both_b) if "label" in a.column_names and "label" in b.column_names else None


def schema_changes(a: StreamSchema, b: StreamSchema) -> SchemaChanges:
    before, after = {f.name: f for f in a.features}, {f.name: f for f in b.features}
    both = [name for name in before if name in after]
    return SchemaChanges(
        added={name: f.described for name, f in after.items() if name not in before},
        removed={name: f.described for name, f in before.items() if name not in after},
        retyped={n: (before[n].described, after[n].described) for n in both if before[n].described != after[n].described},
        required={n: (before[n].required, after[n].required) for n in both if before[n].required != after[n].required},
    )


def _labels(a: pa.Table, b: pa.Table) -> LabelChanges:
    before, after = a.column("label"), b.column("label")
    had, has = (c.is_valid().to_numpy() for c in (before, after))
    corrected = np.flatnonzero(had & has & _differ(before, after))
    first = [int(i) for i in corrected[:EXAMPLES]]
    examples = (Correction(event_id=b.column("event_id")[i].as_py(), before=before[i].as_py(), after=after[i].as_py()) for i in first)
    return LabelChanges(added=int((~had & has).sum()), corrected=len(corrected), removed=int((had & ~has).sum()), examples=tuple(examples))


def _differ(a: pa.ChunkedArray, b: pa.ChunkedArray) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Whether values differ, null being a value of its own."""
    unequal = pc.fill_null(pc.not_equal(a, b), False).to_numpy()
    return np.asarray(unequal | (a.is_valid().to_numpy() != b.is_valid().to_numpy()))


def distances(a: pa.Table, b: pa.Table, schema: StreamSchema, names: Sequence[str], stored: Profile | None) -> dict[str, FeatureDistance]:
    """Of the features ``names``, and of the parts of times among them. ``schema``: a's, of features whose values are there."""
    if not names or not a.num_rows or not b.num_rows:
        return {}
    profile = stored or build_profile(a, np.zeros(a.num_rows), schema, BINS)
    columns = [column for name in names for column in profile.columns if column == name or _is_part(column, name, names)]
    bare = msgspec.structs.replace(profile, columns={name: profile.columns[name] for name in columns})
    current = Counter(bare).count(b)
    return {name: _distance(bare.columns[name], current[name]) for name in columns}


def _is_part(column: str, name: str, names: Sequence[str]) -> bool:
    """Whether a column of a profile is a part of the time ``name``, as departure.hour is."""
    return column not in names and column.rpartition(".")[0] == name


def _distance(column: Column, counts: Counts) -> FeatureDistance:
    found = compare(column, counts)
    own_fields: dict[str, Any] = {name: found.statistics.get(name) for name in FeatureDistance.__struct_fields__ if name in STATISTICS}
    return FeatureDistance(
        **own_fields,
        missing_before=found.before.missing,
        missing=found.now.missing,
        unseen=found.now.unseen,
        out_of_range=found.now.out_of_range,
        statistics=found.statistics,
    )
