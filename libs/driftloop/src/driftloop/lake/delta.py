"""delta-rs, opened with our options and its errors sorted by what to do about them."""

import os
import re
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, Field
from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError, TableNotFoundError
from deltalake.transaction import CommitProperties

from driftloop.contracts.schema import RESERVED
from driftloop.errors import ConfigurationError, ObjectNotFound, TransientError
from driftloop.lake.parquet import LOOKED_UP
from driftloop.rows.stored_columns import later_column, same_type, stored_as
from driftloop.settings import S3Settings

CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",  # the notes, and with them the offset ranges, live in the log
    # A checkpoint lists each file that was removed less than so long ago: thousands, after compactions. Only a vacuum
    # reads that list, and none may run here: it knows nothing of snapshots (see lake.vacuum).
    "delta.deletedFileRetentionDuration": "interval 1 minutes",
}
# A store that does not answer is the caller's business, soon: delta-rs would insist for three minutes.
_PATIENCE = {"timeout": "10s", "connect_timeout": "2s", "max_retries": "2", "retry_timeout": "15s"}
_NO_BEGINNING = "No table metadata or protocol found"  # what delta-rs says when there is no checkpoint to read a version from
_NOT_TRUSTED = re.compile(r"invalid peer certificate|SSL CA cert|SSL peer certificate|certificate verify failed|UnknownIssuer")
NO_RETRY = CommitProperties(max_commit_retries=0)


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn delta-rs's errors into ours. CommitFailedError passes: only the fence understands it."""
    try:
        yield
    except CommitFailedError:
        raise
    except TableNotFoundError as exc:
        raise ObjectNotFound(uri) from exc
    except DeltaProtocolError as exc:
        raise ConfigurationError(f"{uri}: {exc}") from exc
    except (DeltaError, OSError) as exc:
        if _NOT_TRUSTED.search(str(exc)):
            raise ConfigurationError(f"{uri}: the store's certificate is not trusted: name the CA that signed it with S3_CA_FILE") from exc
        raise TransientError(f"{uri}: {exc}") from exc


def delta_options(s3: S3Settings) -> dict[str, str]:
    if s3.ca_file is not None:
        _trust(s3.ca_file)
    return {**s3.delta_options, **_PATIENCE}


@cache
def _trust(ca_file: str) -> None:
    """delta-rs takes no CA of its own, but reads SSL_CERT_FILE when it makes its first client: that, and what was trusted before."""
    known = ssl.get_default_verify_paths().cafile
    texts = [Path(path).read_text(encoding="utf-8") for path in (known, ca_file) if path is not None]
    with tempfile.NamedTemporaryFile("w", prefix="driftloop-ca-", suffix=".pem", delete=False) as bundle:
        bundle.write("\n".join(texts))
    os.environ["SSL_CERT_FILE"] = bundle.name


def open_delta(uri: str, options: dict[str, str], version: int | None = None) -> DeltaTable:
    """Raises ObjectNotFound, also for a version whose log has been archived; TransientError."""
    try:
        with store_errors(uri):
            return DeltaTable(uri, version=version, storage_options=options)
    except TransientError as exc:
        if version is not None and _NO_BEGINNING in str(exc):
            raise ObjectNotFound(f"{uri} at version {version}") from exc
        raise


def configuration(schema: pa.Schema) -> dict[str, str]:
    """Of a table with these columns, those with statistics in the log among it: only of them are bounds asked for."""
    looked_up = ",".join(name for name in LOOKED_UP if name in schema.names)
    return CONFIGURATION | {"delta.dataSkippingStatsColumns": looked_up}


def create_delta(uri: str, options: dict[str, str], schema: pa.Schema) -> DeltaTable:
    """Create the table, or open that of another writer who was faster. Raises TransientError."""
    # Without retries, for a retry puts the loser's metadata, another table id with it, on top of the winner's table.
    with store_errors(uri), suppress(CommitFailedError):
        DeltaTable.create(
            uri, schema, mode="ignore", configuration=configuration(schema), storage_options=options, commit_properties=NO_RETRY
        )
    return open_delta(uri, options)


def configure(delta: DeltaTable, uri: str) -> bool:
    """Give a table of an earlier program our configuration; True when it lacked some of it: the handle must be refreshed.

    Raises TransientError.
    """
    have, wanted = delta.metadata().configuration, configuration(pa.schema(delta.schema().to_arrow()))
    lacking = {name: value for name, value in wanted.items() if have.get(name) != value}
    if lacking:
        with store_errors(uri):
            try:
                delta.alter.set_table_properties(lacking, commit_properties=NO_RETRY)
            except CommitFailedError as exc:
                raise TransientError(f"{uri}: another writer changed the table at the same time") from exc
    return bool(lacking)


def evolve(delta: DeltaTable, uri: str, wanted: pa.Schema) -> bool:
    """A table has one schema: it may gain columns, and old rows have nulls there. No column changes its type: a feature that
    did gets a column more (``rows.stored_columns``).

    True when columns were added: the handle must be refreshed. Raises ConfigurationError, TransientError.
    """
    have = pa.schema(delta.schema().to_arrow())
    for field in wanted:
        if field.name in have.names and field.name in RESERVED and not same_type(have.field(field.name).type, field.type):
            raise ConfigurationError(
                f"{uri}: column {field.name!r} is {have.field(field.name).type} there and {field.type} in the project; "
                "give the stream another name"
            )
    missing = [field for field in wanted if stored_as(field, have) is None]
    new = [field if field.name not in have.names else later_column(field) or field for field in missing]
    if new:
        with store_errors(uri):
            try:
                delta.alter.add_columns([Field.from_arrow(field.with_nullable(True)) for field in new], commit_properties=NO_RETRY)
            except CommitFailedError as exc:
                raise TransientError(f"{uri}: another writer changed the table at the same time") from exc
    return bool(new)
