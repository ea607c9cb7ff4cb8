"""What changed from one version of data to another: rows, labels, columns, distributions. Values in, values out."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.schema import StreamSchema
from driftloop.contracts.values import Part
from driftloop.datasets.diff_inputs import DiffInput
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


class Correction(Part, frozen=True, kw_only=True):
    event_id: str
    before: Any
    after: Any


class LabelChanges(Part, frozen=True, kw_only=True):
    """Of events that both sides have: labels that came, were corrected, or went. ``examples`` are the first corrections."""

    added: int
    corrected: int
    removed: int
    examples: tuple[Correction, ...]


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
    """From ``a`` to ``b``. ``stored`` describes ``a``; without one a profile is made from its rows."""
    shared = [f for f in a.schema.features if any(f.name == g.name and f.type == g.type for g in b.schema.features)]
    names = [f.name for f in shared if f.name in a.rows.column_names and f.name in b.rows.column_names]
    at = pc.index_in(b.rows.column("event_id"), value_set=a.rows.column("event_id").combine_chunks()).combine_chunks()
    both_b = b.rows.filter(at.is_valid())
    both_a = a.rows.take(at.drop_null())
    changed = np.zeros(both_b.num_rows, np.bool_)
    for name in names:
        changed |= _differ(both_a.column(name), both_b.column(name))
    return DatasetDiff(
        a=a.name,
        b=b.name,
        rows=RowChanges(
            a=a.rows.num_rows,
            b=b.rows.num_rows,
            added=b.rows.num_rows - both_b.num_rows,
            removed=a.rows.num_rows - both_b.num_rows,
            changed=int(changed.sum()),
        ),
        labels=_labels(both_a, both_b) if a.has_labels and b.has_labels else None,
        schema=schema_changes(a.schema, b.schema),
        split_changed=a.split != b.split,
        features=_distances(a, b, names, stored.profile if stored else None),
        reference=stored.reference if stored else Reference(),
    )


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


def _distances(a: DiffInput, b: DiffInput, names: list[str], stored: Profile | None) -> dict[str, FeatureDistance]:
    if not names or not a.rows.num_rows or not b.rows.num_rows:
        return {}
    profile = stored or build_profile(a.rows, np.zeros(a.rows.num_rows), a.schema, BINS)
    columns = [column for name in names for column in profile.columns if column == name or _is_part(column, name, names)]
    bare = msgspec.structs.replace(profile, columns={name: profile.columns[name] for name in columns})
    current = Counter(bare).count(b.rows)
    return {name: _distance(bare.columns[name], current[name]) for name in columns}


def _is_part(column: str, name: str, names: list[str]) -> bool:
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
