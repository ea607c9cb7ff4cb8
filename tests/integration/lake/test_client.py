"""`driftloop.Client()`: rows of a stream from Python, with two clocks, from the tables or from a snapshot's own bytes."""

import pyarrow as pa
import pytest
from tests.support.lake_rows import append, lake_inferences, lake_labels
from tests.support.sample_project import sample_project
from tests.support.traffic import event_id, event_time

import driftloop
from driftloop.errors import IntegrityError, UserError
from driftloop.lake.pinning import pin

END = event_time(1000)


@pytest.fixture
def tables(open_table, store, schema):
    """Twenty inferences, and labels of the first fifteen."""
    inferences, labels = open_table("inferences"), open_table("labels")
    append(store, inferences, lake_inferences(schema, 0, 0, 20), 0)
    append(store, labels, lake_labels(schema, 0, 0, 15), 0)
    return inferences, labels


@pytest.fixture
def client(settings):
    return driftloop.Client(
        s3_endpoint=settings.endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        bucket=settings.bucket,
        region=settings.region,
    )


def ids(n: int) -> list[str]:
    return [event_id(0, i) for i in range(n)]


def test_a_stream_is_a_frame_of_events_with_their_labels(client, schema, tables):
    dataset = client.dataset(schema.stream)
    frame = dataset.to_pandas()
    assert frame["event_id"].tolist() == ids(20)
    assert frame["label"].isna().sum() == 5
    assert client.dataset(schema.stream, labelled_only=True).to_arrow().num_rows == 15
    assert dataset.to_polars().height == 20
    assert [batch.num_rows for batch in dataset.batches(8)] == [8, 8, 4]
    assert dataset.to_arrow().schema == dataset.schema
    assert dataset.provenance["versions"] == {"inferences": 1, "labels": 1}


def test_as_of_an_event_time_later_events_have_not_happened(client, schema, tables):
    early = client.dataset(schema.stream, as_of=event_time(7), since=event_time(2).isoformat())
    assert early.to_pandas()["event_id"].tolist() == ids(7)[2:]


def test_as_of_what_was_known_a_correction_has_not_come(client, store, schema, tables):
    before = append(store, tables[1], lake_labels(schema, 0, 15, 16), 15)
    append(store, tables[1], lake_labels(schema, 0, 0, 3, value=False, delay_seconds=600), 16)
    now = client.dataset(schema.stream).to_pandas()
    assert now["label"].tolist()[:4] == [False, False, False, True]
    for known in (before.at, {f"{schema.stream}.labels": {0: 16}}):
        then = client.dataset(schema.stream, known=known).to_pandas()
        assert then["label"].tolist()[:16] == [True] * 16
        assert len(then) == 20


def test_a_single_table_has_all_its_rows_and_columns(client, store, schema, tables):
    append(store, tables[1], lake_labels(schema, 0, 0, 3, value=False), 15)
    assert client.dataset(schema.stream, table="labels").to_arrow().num_rows == 18
    chosen = client.dataset(schema.stream, table="inferences", columns=["amount", "event_id"]).to_arrow()
    assert chosen.column_names == ["amount", "event_id"]


def test_a_snapshot_is_read_from_verified_bytes(client, store, schema, tables):
    digest, snapshot = pin(store, sample_project(schema), *tables, start=None, end=END)
    append(store, tables[0], lake_inferences(schema, 0, 20, 30), 20)
    pinned = client.dataset(schema.stream, snapshot=digest[:20])
    assert pinned.to_arrow().num_rows == 20
    assert pinned.provenance["snapshot"] == digest
    assert pinned.to_arrow().schema == pinned.schema
    assert [s.digest for s in client.snapshots(schema.stream)] == [digest]
    key = f"{tables[0].root}/{snapshot.files[0].path}"
    store.put(key, store.get(key)[:-1])
    with pytest.raises(IntegrityError, match=snapshot.files[0].sha256):
        pinned.to_arrow()


@pytest.mark.parametrize("name", ["../other", "A", "a/b", "a\x00", "%2e%2e", "a" * 10_000, ""])
def test_a_hostile_name_reaches_no_key(client, name):
    with pytest.raises(UserError, match="no stream's name"):
        client.dataset(name)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"columns": ["amount", "nope"]}, "no column 'nope'"),
        ({"table": "nope"}, "not one of"),
        ({"snapshot": "../../x"}, "not the beginning of a digest"),
        ({"snapshot": "0" * 64}, "0 snapshots"),
        ({"snapshot": "ab", "as_of": END}, "give it alone"),
        ({"as_of": "yesterday"}, "is no time"),
        ({"known": {"other.labels": {0: 1}}}, "not a topic"),
        ({"known": {"{stream}.labels": {0: 16}}}, "ends at 15"),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(client, schema, tables, asked, said):
    if isinstance(asked.get("known"), dict):
        asked = {"known": {topic.format(stream=schema.stream): offsets for topic, offsets in asked["known"].items()}}
    with pytest.raises(UserError, match=said):
        client.dataset(schema.stream, **asked)


def test_a_stream_without_tables_is_said(client, unique):
    with pytest.raises(UserError, match="no table"):
        client.dataset(f"none-{unique}")


def test_explicit_addresses_need_keys():
    with pytest.raises(UserError, match="access_key"):
        driftloop.Client(s3_endpoint="http://127.0.0.1:1")


def test_batches_of_a_table_are_streamed_file_by_file(client, store, schema, tables):
    append(store, tables[0], lake_inferences(schema, 0, 20, 30), 20)
    dataset = client.dataset(schema.stream, table="inferences")
    first = next(iter(dataset.batches(5)))
    assert first.num_rows == 5
    assert pa.Table.from_batches(dataset.batches(5)).column("event_id").to_pylist() == ids(30)
