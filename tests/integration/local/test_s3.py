"""The S3 server of the local stack keeps what delta-rs relies on."""

import time

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, Transaction

from driftloop.local.s3 import S3Access, answers


def test_of_two_commits_to_one_table_version_one_is_refused(s3: S3Access, unique: str) -> None:
    uri = f"s3://{s3.bucket}/tests/{unique}"
    write_deltalake(uri, pa.table({"a": [1]}), storage_options=s3.delta_options)
    first = DeltaTable(uri, storage_options=s3.delta_options)
    second = DeltaTable(uri, storage_options=s3.delta_options)
    _append(first, "part-1.parquet")

    with pytest.raises(CommitFailedError):
        _append(second, "part-2.parquet")

    assert DeltaTable(uri, storage_options=s3.delta_options).version() == 1


def test_a_wrong_secret_is_refused(s3: S3Access) -> None:
    assert not answers(S3Access(s3.endpoint, s3.access_key, "wrong", s3.region, s3.bucket))


def _append(table: DeltaTable, path: str) -> None:
    action = AddAction(path, 1, {}, int(time.time() * 1000), True, "{}")
    table.create_write_transaction(
        [action],
        mode="append",
        schema=table.schema(),
        # as ingest commits: one app id, so that a second writer is a conflict and not a retry
        commit_properties=CommitProperties(app_transactions=[Transaction("ingest", 1)]),
    )
