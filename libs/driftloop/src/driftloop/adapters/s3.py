"""An S3 bucket, through the ``minio`` client."""

import io
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, IamAwsProvider, Provider, StaticProvider
from minio.error import MinioException, S3Error
from minio.sse import Sse, SseS3

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
        if (said := _not_trusted(exc)) is not None:
            raise ConfigurationError(said) from exc
        raise TransientError(f"store, {key!r}: {exc}") from exc


def _not_trusted(exc: BaseException) -> str | None:
    reason: object = exc
    while isinstance(reason, BaseException):
        if isinstance(reason, ssl.SSLCertVerificationError):
            said = reason.verify_message
            return f"the store's certificate is not trusted ({said}): name the file of the CA that signed it with S3_CA_FILE"
        reason = getattr(reason, "reason", None) or (reason.args[0] if reason.args else None)
    return None


def _pool(settings: S3Settings) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        cert_reqs="CERT_REQUIRED",
        ca_certs=settings.ca_file,
        timeout=urllib3.Timeout(connect=2, read=30),
        maxsize=16,
        retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
    )


def _client(settings: S3Settings, pool: urllib3.PoolManager) -> Minio:
    url = urlsplit(settings.endpoint)
    return Minio(
        endpoint=url.netloc,
        credentials=_credentials(settings),
        secure=url.scheme == "https",
        region=settings.region,  # a least-privilege key may not ask for it
        http_client=pool,
    )


def _credentials(settings: S3Settings) -> Provider:
    if settings.access_key is not None and settings.secret_key is not None:
        return StaticProvider(settings.access_key, settings.secret_key)
    return _OfTheEnvironment([EnvAWSProvider(), AWSConfigProvider(), IamAwsProvider()])  # the last: web identity, container, machine


class _OfTheEnvironment(ChainedProvider):
    def retrieve(self) -> Credentials:
        """Raises ConfigurationError when nobody has any, TransientError when whoever has them does not answer."""
        nowhere = "no credentials of the store in AWS_ACCESS_KEY_ID, in AWS's credentials file"
        try:
            return super().retrieve()
        except ValueError as exc:
            raise ConfigurationError(f"{nowhere}, by web identity or by a role; give some, or set S3_CREDENTIALS to files") from exc
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise TransientError(f"{nowhere} or by web identity, and no role of this machine answers: {exc}") from exc


def _sse(settings: S3Settings) -> Sse | None:
    match settings.encryption:
        case "AES256":
            return SseS3()
        case "aws:kms":
            return _Kms(settings.kms_key)
        case None:
            return None


class _Kms(Sse):
    """The client's own cannot do without the name of a key; the store has one for who names none."""

    def __init__(self, key: str | None) -> None:
        self._headers = {"X-Amz-Server-Side-Encryption": "aws:kms"}
        if key is not None:
            self._headers["X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"] = key

    def headers(self) -> dict[str, str]:
        return self._headers


def _stat(key: str | None, size: int | None, modified: datetime | None) -> ObjectStat:
    if key is None or size is None or modified is None:
        raise TransientError(f"store, {key!r}: an answer without name, size or time")
    return ObjectStat(key, size, modified)


class MinioObjectStore:
    """Keeps ``ports.ObjectStore``."""

    def __init__(self, settings: S3Settings) -> None:
        self._pool, self._bucket, self._sse = _pool(settings), settings.bucket, _sse(settings)
        self._client = _client(settings, self._pool)

    def put(self, key: str, data: bytes) -> None:
        with _translated(key):
            self._client.put_object(bucket_name=self._bucket, object_name=key, data=io.BytesIO(data), length=len(data), sse=self._sse)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Whether the bytes were stored: False when the key was taken. The client has no such call, so the request is signed by its URL."""
        with _translated(key):
            url = self._client.get_presigned_url(
                "PUT",
                self._bucket,
                key,
                expires=timedelta(minutes=5),
                extra_query_params=dict(self._sse.headers()) if self._sse else None,  # headers would have to be signed
            )
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
    client = _client(settings, _pool(settings))
    with _translated(settings.bucket):
        if not client.bucket_exists(bucket_name=settings.bucket):
            client.make_bucket(bucket_name=settings.bucket)
