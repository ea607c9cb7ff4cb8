"""Two versions of data compared, and a snapshot's bytes hashed again."""

import pytest
from tests.support.lake_rows import append, lake_inferences, lake_labels
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id, event_time

from driftloop.contracts.schema import Feature
from driftloop.datasets.diff import Reference, StoredProfile, difference, schema_changes
from driftloop.datasets.diff_inputs import side
from driftloop.datasets.snapshots import find_snapshot, schema_of, stored_snapshots
from driftloop.datasets.split_check import SplitCheck
from driftloop.datasets.split_rows import split_rows
from driftloop.datasets.verify import Verifier
from driftloop.datasets.versions import newest_versions, summary
from driftloop.errors import IntegrityError, ObjectNotFound, UserError
from driftloop.lake.manifests import snapshot_key
from driftloop.lake.pinning import pin
from driftloop.lake.snapshot import load_snapshot
from driftloop.project.model import archive_key
from driftloop.statistics.histograms import build_profile

END = event_time(1000)


@pytest.fixture
def tables(open_table, store, schema):
    inferences, labels = open_table("inferences"), open_table("labels")
    append(store, inferences, lake_inferences(schema, 0, 0, 20), 0)
    append(store, labels, lake_labels(schema, 0, 0, 20), 0)
    return inferences, labels


@pytest.fixture
def pinned(store, schema, tables):
    """The snapshot of now, by its digest."""
    return lambda: pin(store, sample_project(schema), *tables, start=None, end=END)[0]


@pytest.fixture
def grown(store, schema, tables, pinned):
    """Two snapshots: thirty more events with larger amounts, two labels corrected and ten that came, between them."""
    before = pinned()
    append(store, tables[0], lake_inferences(schema, 0, 20, 50), 20)
    append(store, tables[1], lake_labels(schema, 0, 3, 5, value=False, delay_seconds=900), 20)
    append(store, tables[1], lake_labels(schema, 0, 20, 30), 22)
    return before, pinned()


def test_a_diff_counts_rows_corrections_and_distances(store, settings, grown):
    a, b = (side(store, settings, digest[:16]) for digest in grown)
    found = difference(a, b)
    assert (found.rows.a, found.rows.b, found.rows.added, found.rows.removed, found.rows.changed) == (20, 50, 30, 0, 0)
    assert (found.labels.added, found.labels.corrected, found.labels.removed) == (0, 2, 0)
    assert [(c.event_id, c.before, c.after) for c in found.labels.examples] == [(event_id(0, n), True, False) for n in (3, 4)]
    assert found.schema.none
    assert not found.split_changed
    assert found.features["amount"].ks == pytest.approx(0.6, abs=0.05)  # thirty of fifty lie above all of the first twenty
    assert found.features["amount"].out_of_range == pytest.approx(0.6)
    assert found.features["night"].psi == pytest.approx(0, abs=1e-9)
    assert found.features["kind"].ks is None
    assert found.reference == Reference()
    backwards = difference(b, a)
    assert (backwards.rows.added, backwards.rows.removed) == (0, 30)


def test_a_stored_profile_stands_for_the_first_side(store, settings, schema, grown):
    a, b = (side(store, settings, digest) for digest in grown)
    profile = build_profile(b.rows, b.rows.column("amount").to_numpy(), schema, 8)  # of other rows, so that it shows
    found = difference(a, b, StoredProfile(Reference(model="m", version=3, profile="f" * 64), profile))
    assert found.reference.version == 3
    assert found.features["amount"].psi == pytest.approx(0, abs=1e-9)


def test_versions_of_a_table_can_be_compared(store, settings, schema, tables, grown):
    found = difference(*(side(store, settings, f"{schema.stream}/labels@{v}") for v in (1, 2)))
    assert (found.rows.added, found.labels.corrected) == (0, 2)
    found = difference(side(store, settings, f"{schema.stream}/inferences@1"), side(store, settings, f"{schema.stream}/inferences"))
    assert (found.rows.added, found.labels) == (30, None)
    assert found.features["amount"].out_of_range == pytest.approx(0.6)


def test_schema_changes_are_named(schema):
    amount, kind, night = schema.features
    other = type(schema)(
        stream=schema.stream,
        features=(
            Feature(name="amount", type="category"),
            Feature(name="kind", type=kind.type, required=False),
            Feature(name="new", type="number"),
        ),
        target=schema.target,
    )
    found = schema_changes(schema, other)
    assert found.added == {"new": "number"}
    assert found.removed == {"night": night.type}
    assert found.retyped == {"amount": (amount.type, "category")}
    assert found.required == {"kind": (True, False)}


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("{stream}/labels@99", "no version 99"),
        ("none/labels", "no table none/labels"),
        ("../labels", "no stream's name"),
        ("..%2f/labels", "no stream's name"),
        ("zz", "not the beginning of a digest"),
        ("", "not the beginning of a digest"),
        ("0" * 64, "0 snapshots"),
    ],
)
def test_a_side_that_is_not_there_is_said_in_one_sentence(store, settings, schema, tables, ref, said):
    with pytest.raises(UserError, match=said):
        side(store, settings, ref.format(stream=schema.stream))


def test_versions_tell_rows_time_offsets_and_columns(schema, tables, grown):
    newest = newest_versions(tables[1], 2)
    assert [(v.version, v.rows, v.ranges[0].start, v.ranges[0].end) for v in newest] == [(3, 10, 22, 32), (2, 2, 20, 22)]
    assert newest[1].event_time_min == event_time(3)
    found = summary(tables[1])
    assert (found.rows, found.version, found.files) == (32, 3, 3)
    assert [(r.topic, r.start, r.end) for r in found.ranges] == [(f"{schema.stream}.labels", 0, 32)]
    assert newest[0].schema_fingerprint == found.schema_fingerprint
    assert [v.operation for v in newest_versions(tables[1], 100)][-1] == "CREATE TABLE"


def test_an_intact_snapshot_verifies_and_shared_files_are_hashed_once(store, schema, grown, monkeypatch):
    read, get = [], store.get
    monkeypatch.setattr(store, "get", lambda key: (read.append(key), get(key))[1])
    verifier = Verifier(store)
    found = [verifier.verify(schema.stream, digest) for digest in grown]
    assert [(v.ok, v.files) for v in found] == [(True, 2), (True, 5)]
    files = [key for key in read if key.startswith("lake/")]
    assert len(files) == len(set(files)) == 5


@pytest.mark.parametrize(
    ("damage", "problem"),
    [(lambda data: data[:-1], "size"), (lambda data: data[:100] + b"x" + data[101:], "sha256"), (None, "missing")],
)
def test_verify_says_which_file_is_wrong_and_how(store, schema, tables, pinned, damage, problem):
    digest = pinned()
    file = load_snapshot(store, schema.stream, digest).files[1]
    key = f"{tables[1].root}/{file.path}"
    if damage is None:
        store.delete(key)
    else:
        store.put(key, damage(store.get(key)))
    found = Verifier(store).verify(schema.stream, digest)
    assert [(p.key, p.problem) for p in found.problems] == [(key, problem)]
    assert key in str(found.problems[0])


def test_a_manifest_that_was_tampered_with_is_a_problem_too(store, schema, pinned):
    digest = pinned()
    key = snapshot_key(schema.stream, digest)
    store.put(key, store.get(key).replace(b'"salt":"driftloop"', b'"salt":"otherloop"'))
    found = Verifier(store).verify(schema.stream, digest)
    assert [p.problem for p in found.problems] == ["manifest"]
    with pytest.raises(ObjectNotFound):
        Verifier(store).verify(schema.stream, "0" * 64)


def test_a_manifest_that_names_files_elsewhere_is_refused(store, schema, pinned):
    digest = pinned()
    key = snapshot_key(schema.stream, digest)
    path = load_snapshot(store, schema.stream, digest).files[0].path
    store.put(key, store.get(key).replace(path.encode(), b"../../../models/x"))
    with pytest.raises(IntegrityError, match="outside"):
        load_snapshot(store, schema.stream, digest)


def test_snapshots_of_a_vanished_table_verify_as_missing_and_do_not_read(store, settings, schema, tables, pinned):
    digest = pinned()
    for found in list(store.list(f"lake/{schema.stream}/")):
        store.delete(found.key)
    assert {p.problem for p in Verifier(store).verify(schema.stream, digest).problems} == {"missing"}
    with pytest.raises(IntegrityError, match="was pinned and is gone"):
        side(store, settings, digest)


def test_a_manifest_without_its_schema_finds_it_in_a_project(store, schema, tables, pinned):
    digest = pinned()
    snapshot = load_snapshot(store, schema.stream, digest)
    bare = type(snapshot)(**{**{f: getattr(snapshot, f) for f in snapshot.__struct_fields__}, "schema": None})
    project = sample_project(schema)
    with pytest.raises(IntegrityError, match="no project"):
        schema_of(store, bare)
    store.put(archive_key(project.name, project.digest()), project.archive())
    assert schema_of(store, bare) == schema


def test_snapshots_are_found_by_stream_and_beginning(store, schema, grown):
    assert {s.digest for s in stored_snapshots(store, schema.stream)} == set(grown)
    assert find_snapshot(store, grown[1][:12], schema.stream) == (schema.stream, grown[1])
    store.put(f"snapshots/{schema.stream}/notes.txt", b"not a manifest")
    assert len(stored_snapshots(store, schema.stream)) == 2


def test_over_a_growing_series_no_key_straddles_and_no_row_moves(store, schema, tables):
    """Also when events come twice, late, and with labels corrected."""
    check, at = SplitCheck(), 20
    for step in range(4):
        rows = lake_inferences(schema, 0, at, at + 25)
        append(store, tables[0], rows, at)
        append(store, tables[0], lake_inferences(schema, 0, at - 10, at), 0, partition=1 + step)  # seen before
        append(store, tables[1], lake_labels(schema, 0, at, at + 25, value=step % 2 == 0), at)
        at += 25
        digest, snapshot = pin(store, sample_project(schema), *tables, start=None, end=END)
        check.take(snapshot.content.split, split_rows(store, load_snapshot(store, schema.stream, digest), schema))
    report = check.report()
    assert report.ok, str(report)
    assert (report.snapshots, report.rows, report.keys) == (4, 120, 7)
