"""What a service makes sure of before it works: topics as the table says, a bucket that its key may use, a store that keeps its word."""

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from driftloop.adapters.kafka import check_topics
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.storage_rights import PROBE, Rights
from driftloop.contracts.topics import Topic
from driftloop.errors import ConfigurationError, ObjectNotFound, TransientError
from driftloop.service.settings import StoreSettings
from driftloop.settings import S3Settings
from driftloop.telemetry import get_logger

log = get_logger(__name__)

_PROBE_NAME = ".probe"  # no name of ours starts with a dot


def check_surroundings(settings: StoreSettings, topics: Iterable[Topic]) -> None:
    """Raises ConfigurationError that says what is wrong and what to do; TransientError when broker or store do not answer."""
    check_topics(settings.kafka, topics, replication=settings.replication)
    check_store(settings.service.name, _rights(settings), settings.s3)


def check_surroundings_but_for_a_silent_store(settings: StoreSettings, topics: Iterable[Topic], patience_seconds: float = 5.0) -> None:
    """For a service that can work while the store is away: only what the store says counts, not that it says nothing."""
    check_topics(settings.kafka, topics, replication=settings.replication)
    refusals: list[ConfigurationError] = []

    def ask() -> None:
        try:
            check_store(settings.service.name, _rights(settings), settings.s3)
        except ConfigurationError as exc:
            refusals.append(exc)
        except TransientError as exc:
            log.warning("store-not-checked", reason=str(exc))

    asking = threading.Thread(target=ask, name="store-check", daemon=True)
    asking.start()
    asking.join(patience_seconds)
    if refusals:
        raise refusals[0]


def _rights(settings: StoreSettings) -> Rights:
    return settings.service.rights or Rights(read=())


def check_store(service: str, rights: Rights, settings: S3Settings) -> None:
    """Try every right that the service needs, once. Raises as ``check_surroundings`` does."""
    store = MinioObjectStore(settings)
    for area in rights.read:
        with _remedy(service, settings, "read", area):
            next(iter(store.list(f"{area}/")), None)
            with suppress(ObjectNotFound):
                store.get(f"{area}/{_PROBE_NAME}")
    for area in rights.delete:
        with _remedy(service, settings, "delete in", area):
            store.delete(f"{area}/{_PROBE_NAME}")
    for area in rights.write:
        with _remedy(service, settings, "write", area):
            if area == PROBE:
                _check_conditional_puts(store, settings)
            else:
                store.put(f"{area}/{_PROBE_NAME}", b"may write\n")


def _check_conditional_puts(store: MinioObjectStore, settings: S3Settings) -> None:
    """Two writers must not both believe that they made one version of a table."""
    key = f"{PROBE}/{uuid.uuid4().hex}"
    try:
        honoured = store.put_if_absent(key, b"first\n") and not store.put_if_absent(key, b"second\n")
    finally:
        store.delete(key)
    if not honoured:
        raise _StoreUnfit(
            f"the store at {settings.endpoint} ignores conditional puts (If-None-Match): two writers could make one version of a table; "
            "use one that honours them (MinIO, SeaweedFS, Amazon S3)"
        )


class _StoreUnfit(ConfigurationError):
    """Says its own remedy."""


@contextmanager
def _remedy(service: str, settings: S3Settings, may: str, area: str) -> Iterator[None]:
    try:
        yield
    except _StoreUnfit:
        raise
    except ConfigurationError as exc:
        raise ConfigurationError(
            f"the key of {service} cannot {may} {area}/ in bucket {settings.bucket!r} at {settings.endpoint}: {exc}; "
            "make bucket, keys and rights with the init job (docker compose run --rm init), rights as in driftloop.contracts.services"
        ) from exc
