"""The tables are plain Delta: other tools read them without any of our code.

DuckDB's and Polars' own S3 readers are told the store's address; DuckDB's `delta` extension is downloaded at run time, so
DuckDB is given what any Delta reader gives: the file list.
"""

import duckdb
import polars
import pytest
from deltalake import DeltaTable
from tests.support.lake_rows import append, lake_inferences, lake_labels
from tests.support.traffic import event_id

ROWS = 40


@pytest.fixture
def tables(open_table, store, schema):
    """Four commits, two of them merged into one file, so that the log holds removed files too."""
    inferences, labels = open_table("inferences"), open_table("labels")
    for at in (0, 10):
        append(store, inferences, lake_inferences(schema, 0, at, at + 10), at)
    inferences.delta.optimize.compact()
    inferences.refresh()
    for at in (20, 30):
        append(store, inferences, lake_inferences(schema, 0, at, at + 10), at)
    append(store, labels, lake_labels(schema, 0, 0, ROWS), 0)
    return inferences, labels


@pytest.fixture
def plain(settings, tables):
    """The two tables as a stranger opens them: by address and keys alone."""
    options = {
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": settings.region,
        "AWS_ACCESS_KEY_ID": settings.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.secret_key,
        "AWS_ALLOW_HTTP": "true",
    }
    return [(f"s3://{settings.bucket}/{table.root}", options) for table in tables]


def test_pandas_opens_them(plain):
    inferences, labels = (DeltaTable(uri, storage_options=options).to_pandas() for uri, options in plain)
    joined = inferences.merge(labels, on="event_id", suffixes=("", "_of_label"))
    assert sorted(joined["event_id"]) == sorted(event_id(0, n) for n in range(ROWS))
    assert joined["label"].all()


def test_polars_opens_them(plain):
    (inferences, options), (labels, _) = plain
    scanned = polars.scan_delta(inferences, storage_options=options)
    joined = scanned.join(polars.scan_delta(labels, storage_options=options), on="event_id").filter(polars.col("amount") > 10.0)
    assert joined.collect().height == sum(n / 3 > 10 for n in range(ROWS))


def test_duckdb_opens_them(plain):
    left, right = (DeltaTable(uri, storage_options=options).to_pyarrow_dataset() for uri, options in plain)
    with duckdb.connect() as connection:
        connection.register("inferences", left)
        connection.register("labels", right)
        found = connection.execute("SELECT count(*), sum(amount) FROM inferences JOIN labels USING (event_id) WHERE label").fetchone()
    assert found == (ROWS, pytest.approx(sum(n / 3 for n in range(ROWS))))


def test_an_old_version_opens_with_its_rows(plain):
    (uri, options), _ = plain
    assert DeltaTable(uri, version=2, storage_options=options).to_pyarrow_table().num_rows == 20
