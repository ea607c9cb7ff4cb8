"""Two versions of data compared part by part: the same as compared at once, whatever part a row is in."""

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.support.lake_rows import lake_inferences
from tests.support.traffic import small_schema

from driftloop.datasets import bounded_diff
from driftloop.datasets.bounded_diff import bounded_difference
from driftloop.datasets.diff import EXAMPLES, Reference, StoredProfile, difference
from driftloop.datasets.diff_inputs import DiffSide
from driftloop.errors import UserError
from driftloop.statistics.histograms import build_profile

SCHEMA = small_schema("s")
COLUMNS = ["event_id", *SCHEMA.feature_names, "label"]


def rows(start, end, *, amount=0.0, label=True):
    found = lake_inferences(SCHEMA, 0, start, end)
    moved = pc.add(found["amount"], amount)
    found = found.set_column(found.schema.get_field_index("amount"), found.schema.field("amount"), moved)
    return found.append_column("label", pa.array([label] * found.num_rows, pa.bool_())).select(COLUMNS)


def side(name, table, size=1 << 20):
    return DiffSide(name, SCHEMA, COLUMNS, size, table.schema, lambda: iter(table.to_batches(max_chunksize=70)), lambda some: some)


A = rows(0, 1000)
B = pa.concat_tables(
    [rows(100, 600), rows(600, 700, amount=5.0), rows(700, 900, label=False), rows(900, 950, label=None), rows(1000, 1300)]
)


EMPTY = A.slice(0, 0)


def without_examples(diff):
    return msgspec.structs.replace(diff, labels=msgspec.structs.replace(diff.labels, examples=()))


STORED = StoredProfile(Reference(model="m", version=1, profile="f" * 64), build_profile(A, A["amount"].to_numpy(), SCHEMA, 8))


@pytest.mark.parametrize("stored", [None, STORED])
def test_the_parts_add_up(stored):
    at_once = difference(side("a", A).read(), side("b", B).read(), stored)
    in_parts = bounded_difference(side("a", A), side("b", B), stored, memory_bytes=200_000)
    assert without_examples(in_parts) == without_examples(at_once)
    assert (in_parts.rows.added, in_parts.rows.removed, in_parts.rows.changed) == (300, 150, 100)
    assert (in_parts.labels.corrected, in_parts.labels.removed, len(in_parts.labels.examples)) == (200, 50, EXAMPLES)


def test_what_fits_touches_no_disk(monkeypatch):
    monkeypatch.setattr(bounded_diff, "work_folder", None)
    assert bounded_difference(side("a", A), side("b", B), memory_bytes=1 << 30).rows.b == 1150


def test_no_part_holds_more_than_a_few_times_its_share(monkeypatch):
    seen = []
    compare = bounded_diff.changes
    monkeypatch.setattr(bounded_diff, "changes", lambda a, b, names: seen.append(a.num_rows) or compare(a, b, names))
    bounded_difference(side("a", A), side("b", B), memory_bytes=1 << 18)
    assert (len(seen), sum(seen)) == (17, 1000)
    assert max(seen) < 3 * 1000 / 17


def test_a_side_without_rows_has_no_distances():
    found = bounded_difference(side("a", A), side("b", EMPTY), memory_bytes=1)
    assert (found.rows.removed, found.rows.b, found.features) == (1000, 0, {})


def test_a_disk_without_room_is_a_sentence(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bounded_diff, "_Parts", full)
    with pytest.raises(UserError, match=r"do not fit below .*: .*No space left"):
        bounded_difference(side("a", A), side("b", B), memory_bytes=1)
