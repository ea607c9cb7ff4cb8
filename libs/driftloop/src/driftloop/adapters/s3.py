"""An S3 bucket, through the ``minio`` client."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from driftloop.errors import ConfigurationError, ObjectNotFound, TransientError
from driftloop.ports import ObjectStat
from driftloop.settings import S3Settings

_NOT_FOUND = {"NoSuchKey", "NoSuchObject", "ResourceNotFound"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket"}


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except S3Error as exc:
        if exc.code in _NOT_FOUND:
            raise ObjectNotFound(key) from exc
        if exc.code in _REFUSED:
            raise ConfigurationError(f"the store refuses {key!r}: {exc.code}; check bucket, access key and its rights") from exc
        raise TransientError(f"store, {key!r}: {exc.code}") from exc
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as exc:
        raise TransientError(f"store, {key!r}: {exc}") from exc


def _pool() -> urllib3.PoolManager:
    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=2, read=30),
        maxsize=16,
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
    )


def _client(settings: S3Settings, pool: urllib3.PoolManager) -> Minio:
    url = urlsplit(settings.endpoint)
    return Minio(
        endpoint=url.netloc,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        secure=url.scheme == "https",
        region=settings.region,  # a least-privilege key may not ask for it
        http_client=pool,
    )


def _stat(key: str | None, size: int | None, modified: datetime | None) -> ObjectStat:
    if key is None or size is None or modified is None:
        raise TransientError(f"store, {key!r}: an answer without name, size or time")
    return ObjectStat(key, size, modified)


class MinioObjectStore:
    """Keeps ``ports.ObjectStore``."""

    def __init__(self, settings: S3Settings) -> None:
        self._pool, self._bucket = _pool(), settings.bucket
        self._client = _client(settings, self._pool)

    def put(self, key: str, data: bytes) -> None:
        with _translated(key):
            self._client.put_object(bucket_name=self._bucket, object_name=key, data=io.BytesIO(data), length=len(data))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Whether the bytes were stored: False when the key was taken. The client has no such call, so the request is signed by its URL."""
        with _translated(key):
            url = self._client.presigned_put_object(bucket_name=self._bucket, object_name=key, expires=timedelta(minutes=5))
            # a repeated put would find the first one's object and call it taken
            answer = self._pool.request("PUT", url, body=data, headers={"If-None-Match": "*"}, retries=False)
        if answer.status in (409, 412):
            return False
        if answer.status == 403:
            raise ConfigurationError(f"the store refuses {key!r}: AccessDenied; check bucket, access key and its rights")
        if answer.status == 501:
            raise ConfigurationError(f"the store has no conditional puts ({key!r})")
        if answer.status != 200:
            raise TransientError(f"store, {key!r}: HTTP {answer.status}")
        return True

    def get(self, key: str) -> bytes:
        with _translated(key):
            response = self._client.get_object(bucket_name=self._bucket, object_name=key)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

    def chunks(self, key: str, size: int) -> Iterator[bytes]:
        """The object's bytes in pieces of at most ``size``, fetched as they are asked for; raises what ``get`` raises."""
        with _translated(key):
            response = self._client.get_object(bucket_name=self._bucket, object_name=key)
            try:
                yield from response.stream(size)
            finally:
                response.close()
                response.release_conn()

    def stat(self, key: str) -> ObjectStat:
        with _translated(key):
            found = self._client.stat_object(bucket_name=self._bucket, object_name=key)
        return _stat(key, found.size, found.last_modified)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectStat]:
        with _translated(prefix):
            for found in self._client.list_objects(bucket_name=self._bucket, prefix=prefix, recursive=True, start_after=after or None):
                yield _stat(found.object_name, found.size, found.last_modified)

    def delete(self, key: str) -> None:
        with _translated(key):
            self._client.remove_object(bucket_name=self._bucket, object_name=key)

    def url(self, key: str, valid: timedelta = timedelta(hours=1)) -> str:
        """A link that lets a person read one object for a while."""
        with _translated(key):
            return str(self._client.presigned_get_object(bucket_name=self._bucket, object_name=key, expires=valid))


def ensure_bucket(settings: S3Settings) -> None:
    """Create the bucket when it is not there."""
    client = _client(settings, _pool())
    with _translated(settings.bucket):
        if not client.bucket_exists(bucket_name=settings.bucket):
            client.make_bucket(bucket_name=settings.bucket)
