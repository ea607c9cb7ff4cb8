"""The S3 server of the local stack keeps what delta-rs relies on."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, Transaction
from tests.support.clients import get, put

from driftloop.local.s3 import S3Access, answers

WRITERS = 6
COMMITS_EACH = 4


def test_no_commit_is_lost_when_writers_race_for_the_same_versions(s3: S3Access, unique: str) -> None:
    uri = f"s3://{s3.bucket}/tests/{unique}"
    write_deltalake(uri, pa.table({"a": [1]}), storage_options=s3.delta_options)
    start = threading.Barrier(WRITERS)

    def write(writer: int) -> int:
        refused = 0
        for number in range(COMMITS_EACH):
            start.wait()  # all of them try for the next version at once
            while not _appended(uri, s3, f"{writer}-{number}.parquet"):
                refused += 1
        return refused

    with ThreadPoolExecutor(WRITERS) as pool:
        refused = sum(pool.map(write, range(WRITERS)))

    assert refused > 0, "the writers never met, so nothing was tried"
    table = DeltaTable(uri, storage_options=s3.delta_options)
    assert table.version() == WRITERS * COMMITS_EACH
    assert len(table.file_uris()) == 1 + WRITERS * COMMITS_EACH


def test_of_two_commits_of_one_application_at_one_version_one_is_refused(s3: S3Access, unique: str) -> None:
    uri = f"s3://{s3.bucket}/tests/{unique}"
    write_deltalake(uri, pa.table({"a": [1]}), storage_options=s3.delta_options)
    first = DeltaTable(uri, storage_options=s3.delta_options)
    second = DeltaTable(uri, storage_options=s3.delta_options)
    _append(first, "part-1.parquet", app_id="ingest", cursor=1)

    with pytest.raises(CommitFailedError):
        _append(second, "part-2.parquet", app_id="ingest", cursor=1)

    assert DeltaTable(uri, storage_options=s3.delta_options).version() == 1


def test_a_wrong_secret_is_refused(s3: S3Access) -> None:
    assert not answers(S3Access(s3.endpoint, s3.access_key, "wrong", s3.region, s3.bucket))


FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="poc.txt"\r\n\r\nwritten without a key\r\n--x--\r\n'
FROM_A_PAGE = {"Content-Type": "multipart/form-data; boundary=x", "Origin": "http://evil.example"}  # which no browser asks about first


def test_ports_behind_the_s3_port_neither_show_nor_take_anything(s3: S3Access, unique: str) -> None:
    key = f"tests/{unique}"
    put(s3, key, b"object")
    port = int(s3.endpoint.rpartition(":")[2])
    filer, master, volume = (f"http://127.0.0.1:{number}" for number in (port + 6, port + 2, port + 4))
    bucket = f"{filer}/buckets/{s3.bucket}"
    calls = [
        httpx.get(f"{bucket}/", headers={"Accept": "application/json"}),
        httpx.get(f"{bucket}/{key}"),
        httpx.post(f"{bucket}/tests/poc.txt", content=FORM, headers=FROM_A_PAGE),
        httpx.delete(f"{bucket}/{key}"),
        httpx.get(f"{master}/dir/status"),
        httpx.get(f"{master}/dir/assign"),
        httpx.post(f"{master}/submit", content=FORM, headers=FROM_A_PAGE),
        httpx.get(f"{volume}/ui/index.html"),
        *(httpx.get(f"{volume}/{number},01abcdef") for number in range(1, 4)),
        httpx.post(f"{volume}/1,01abcdef", content=FORM, headers=FROM_A_PAGE),
    ]

    assert {answer.status_code for answer in calls} <= {401, 404}
    assert get(s3, key) == b"object"


def _appended(uri: str, s3: S3Access, path: str) -> bool:
    try:
        _append(DeltaTable(uri, storage_options=s3.delta_options), path, app_id=path, cursor=1)
    except CommitFailedError:
        return False
    return True


def _append(table: DeltaTable, path: str, *, app_id: str, cursor: int) -> None:
    action = AddAction(path, 1, {}, int(time.time() * 1000), True, "{}")
    table.create_write_transaction(
        [action],
        mode="append",
        schema=table.schema(),
        commit_properties=CommitProperties(app_transactions=[Transaction(app_id, cursor)], max_commit_retries=0),
    )
