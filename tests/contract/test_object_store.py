"""What every object store keeps, the shipped fake and the real server alike."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from driftloop.adapters.memory import MemoryStore
from driftloop.adapters.s3 import MinioObjectStore, ensure_bucket
from driftloop.errors import ConfigurationError, ObjectNotFound, TransientError
from driftloop.ports import ObjectStore
from driftloop.settings import S3Settings


class ObjectStoreContract:
    def test_what_was_put_is_what_is_read(self, store: ObjectStore, unique: str) -> None:
        store.put(f"t-{unique}/a", b"bytes")
        assert store.get(f"t-{unique}/a") == b"bytes"
        assert store.stat(f"t-{unique}/a").size == 5

    def test_get_and_stat_of_a_missing_key_raise_object_not_found(self, store: ObjectStore, unique: str) -> None:
        with pytest.raises(ObjectNotFound):
            store.get(f"t-{unique}/none")
        with pytest.raises(ObjectNotFound):
            store.stat(f"t-{unique}/none")

    def test_chunks_are_the_bytes_in_pieces(self, store: MemoryStore | MinioObjectStore, unique: str) -> None:
        data = bytes(range(256)) * 1000
        store.put(f"t-{unique}/a", data)
        pieces = list(store.chunks(f"t-{unique}/a", 100_000))
        assert b"".join(pieces) == data
        assert len(pieces) > 1
        assert max(map(len, pieces)) <= 100_000
        with pytest.raises(ObjectNotFound):
            list(store.chunks(f"t-{unique}/none", 10))

    def test_list_gives_the_keys_below_a_prefix_in_order(self, store: ObjectStore, unique: str) -> None:
        for key in ("b/2", "a", "b/1"):
            store.put(f"t-{unique}/{key}", b"")
        assert [s.key.removeprefix(f"t-{unique}/") for s in store.list(f"t-{unique}/")] == ["a", "b/1", "b/2"]
        assert [s.key.removeprefix(f"t-{unique}/") for s in store.list(f"t-{unique}/b")] == ["b/1", "b/2"]

    def test_a_listing_may_begin_after_a_key(self, store: ObjectStore, unique: str) -> None:
        for key in ("a", "b/1", "b/2", "c"):
            store.put(f"t-{unique}/{key}", b"")
        after = [s.key.removeprefix(f"t-{unique}/") for s in store.list(f"t-{unique}/", after=f"t-{unique}/b/1")]
        assert after == ["b/2", "c"]
        assert not list(store.list(f"t-{unique}/b", after=f"t-{unique}/b0"))

    def test_put_if_absent_stores_once_and_says_when_the_key_is_taken(self, store: ObjectStore, unique: str) -> None:
        assert store.put_if_absent(f"t-{unique}/once", b"first")
        assert not store.put_if_absent(f"t-{unique}/once", b"second")
        assert store.get(f"t-{unique}/once") == b"first"

    def test_of_many_who_put_if_absent_at_once_one_succeeds(self, store: ObjectStore, unique: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n: store.put_if_absent(f"t-{unique}/raced", b"%d" % n), range(8)))
        assert won.count(True) == 1
        assert store.get(f"t-{unique}/raced") == b"%d" % won.index(True)

    def test_delete_removes_and_deleting_nothing_is_no_error(self, store: ObjectStore, unique: str) -> None:
        store.put(f"t-{unique}/a", b"x")
        store.delete(f"t-{unique}/a")
        store.delete(f"t-{unique}/a")
        with pytest.raises(ObjectNotFound):
            store.get(f"t-{unique}/a")


class TestMemoryStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()


@pytest.fixture(scope="module")
def s3_settings(s3) -> S3Settings:
    settings = S3Settings(endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key)
    ensure_bucket(settings)
    return settings


class TestMinioObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, s3_settings: S3Settings) -> ObjectStore:
        return MinioObjectStore(s3_settings)

    def test_an_unreachable_server_is_a_transient_error(self) -> None:
        nobody = S3Settings(endpoint="http://127.0.0.1:9", bucket="bucket", region="us-east-1", access_key="k", secret_key="s")
        with pytest.raises(TransientError):
            MinioObjectStore(nobody).get("a")

    def test_wrong_keys_are_a_configuration_error(self, s3_settings: S3Settings) -> None:
        wrong = S3Settings(
            endpoint=s3_settings.endpoint, bucket=s3_settings.bucket, region="us-east-1", access_key="nobody", secret_key="wrong"
        )
        with pytest.raises(ConfigurationError, match="access key"):
            MinioObjectStore(wrong).get("a")
