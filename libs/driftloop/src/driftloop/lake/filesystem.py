"""A table's files as pyarrow reads them.

delta-rs has a file system of its own and ``DeltaTable.history()``, but both hold the GIL while they wait for the store:
one that hangs would stop every thread of the process, the Kafka heartbeat among them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as pa_fs

from driftloop.errors import ObjectNotFound
from driftloop.lake.delta import store_errors
from driftloop.settings import S3Settings


class TableFiles:
    """The objects below a table's root, a key of the bucket, by relative path. Connects when something is read."""

    def __init__(self, s3: S3Settings, root: str, uri: str) -> None:
        self.system = _table_files(s3, root)
        self._root, self._uri = root, uri

    @contextmanager
    def open(self, path: str) -> Iterator[pa.NativeFile]:
        """An object, to be read in pieces. Raises ObjectNotFound, TransientError."""
        with store_errors(self._uri):
            try:
                file = self.system.open_input_file(path)
            except FileNotFoundError as exc:
                raise ObjectNotFound(f"{self._root}/{path}") from exc
            with file:
                yield file

    def read(self, path: str) -> bytes:
        """Raises ObjectNotFound, TransientError."""
        with self.open(path) as file:
            return bytes(file.read())


def _table_files(s3: S3Settings, root: str) -> pa_fs.FileSystem:
    url = urlsplit(s3.endpoint)
    store = pa_fs.S3FileSystem(
        access_key=s3.access_key,
        secret_key=s3.secret_key,
        region=s3.region,
        endpoint_override=url.netloc,
        scheme=url.scheme,
        tls_ca_file_path=s3.ca_file,
        connect_timeout=2,
        request_timeout=10,
        retry_strategy=pa_fs.AwsStandardS3RetryStrategy(max_attempts=3),
    )
    return pa_fs.SubTreeFileSystem(f"{s3.bucket}/{root}", store)
