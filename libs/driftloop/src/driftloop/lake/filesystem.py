"""A table's files as pyarrow reads them.

delta-rs has a file system of its own and ``DeltaTable.history()``, but both hold the GIL while they wait for the store:
one that hangs would stop every thread of the process, the Kafka heartbeat among them.
"""

from urllib.parse import urlsplit

import pyarrow.fs as pa_fs

from driftloop.settings import S3Settings


def table_files(s3: S3Settings, root: str) -> pa_fs.FileSystem:
    """The objects below the key ``root``, by relative path. Connects when it is used; raises OSError then."""
    url = urlsplit(s3.endpoint)
    store = pa_fs.S3FileSystem(
        access_key=s3.access_key,
        secret_key=s3.secret_key,
        region=s3.region,
        endpoint_override=url.netloc,
        scheme=url.scheme,
        connect_timeout=2,
        request_timeout=10,
        retry_strategy=pa_fs.AwsStandardS3RetryStrategy(max_attempts=3),
    )
    return pa_fs.SubTreeFileSystem(f"{s3.bucket}/{root}", store)
