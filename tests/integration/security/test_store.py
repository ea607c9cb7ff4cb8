"""A store by https whose certificate a CA of its own has signed, and credentials that the environment has."""

import dataclasses
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.ports import free_port_base
from tests.support.servers import running

from driftloop.adapters.s3 import MinioObjectStore, ensure_bucket
from driftloop.errors import ConfigurationError
from driftloop.local.port_numbers import StackPorts
from driftloop.local.s3 import S3Server
from driftloop.settings import Environment, S3Settings, s3_settings

# In a process of its own: delta-rs reads whom to trust once.
LAKE = """
import os, sys
import msgspec, pyarrow as pa
from driftloop.errors import ConfigurationError
from driftloop.lake.delta import create_delta, delta_options
from driftloop.lake.filesystem import TableFiles
from driftloop.settings import S3Settings
from deltalake import write_deltalake
s3 = msgspec.json.decode(sys.argv[1], type=S3Settings)
uri, rows = s3.table_uri("shop", sys.argv[2]), pa.table({"n": [1, 2, 3]})
try:
    delta = create_delta(uri, delta_options(s3), rows.schema)
    write_deltalake(delta, rows, mode="append")
    log = TableFiles(s3, f"lake/shop/{sys.argv[2]}", uri).read("_delta_log/00000000000000000000.json")
    print(delta.to_pyarrow_table().num_rows, len(log) > 0)
except ConfigurationError as exc:
    print(exc)
sys.stdout.flush()
os._exit(0)  # Arrow's S3 threads do not end by themselves
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("store-ca"))


@pytest.fixture(scope="module")
def variables(authority: Authority) -> Iterator[dict[str, str]]:
    """Of a service that works with a store that speaks nothing but https."""
    identity = authority.server("store")
    with tempfile.TemporaryDirectory(prefix="driftloop-") as home:
        server = S3Server(Path(home), StackPorts(free_port_base()).s3)
        server.prepare()
        spec, endpoint = server.spec(), server.access().endpoint.replace("http://", "https://")
        told = {
            "S3_ENDPOINT": endpoint,
            "S3_CA_FILE": str(authority.cert),
            "S3_ACCESS_KEY_FILE": str(server.access_key_file),
            "S3_SECRET_KEY_FILE": str(server.secret_key_file),
        }
        found = {f"DRIFTLOOP_TEST_{name}": value for name, value in told.items()}
        tls = [f"-s3.cert.file={identity.cert}", f"-s3.key.file={identity.key}"]
        with running(dataclasses.replace(spec, argv=[*spec.argv, *tls], ready=lambda: _answers(endpoint, authority))):
            ensure_bucket(s3_settings(Environment("test", found)))
            yield found


def _answers(endpoint: str, authority: Authority) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/healthz", timeout=5, context=ssl.create_default_context(cafile=str(authority.cert))):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@pytest.fixture
def settings(variables: dict[str, str]) -> S3Settings:
    return s3_settings(Environment("test", variables))


def lake(settings: S3Settings, table: str) -> str:
    import msgspec

    done = subprocess.run([sys.executable, "-c", LAKE, msgspec.json.encode(settings), table], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_objects_and_tables_by_https(settings: S3Settings, unique: str) -> None:
    store = MinioObjectStore(settings)
    store.put(unique, b"hello")
    assert store.get(unique) == b"hello"
    assert store.put_if_absent(f"{unique}-2", b"first")
    assert not store.put_if_absent(f"{unique}-2", b"second")
    assert lake(settings, unique) == "3 True"


def test_a_ca_that_did_not_sign_the_store(settings: S3Settings, unique: str, tmp_path: Path) -> None:
    wrong = S3Settings(**{**_fields(settings), "ca_file": str(Authority(tmp_path, "another-ca").cert)})
    with pytest.raises(
        ConfigurationError, match=r"the store's certificate is not trusted \(.*\): name the file of the CA that signed it with S3_CA_FILE"
    ):
        MinioObjectStore(wrong).get(unique)
    with pytest.raises(ConfigurationError, match="the store's certificate is not trusted"):
        MinioObjectStore(wrong).put_if_absent(unique, b"x")
    assert "the store's certificate is not trusted: name the CA that signed it with S3_CA_FILE" in lake(wrong, unique)


def test_credentials_of_the_environment(
    settings: S3Settings, variables: dict[str, str], unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", str(settings.access_key))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", str(settings.secret_key))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://nowhere.invalid")  # the settings say where the store is
    found = s3_settings(Environment("test", variables | {"DRIFTLOOP_TEST_S3_CREDENTIALS": "environment"}))
    assert (found.access_key, found.secret_key) == (None, None)
    MinioObjectStore(found).put(unique, b"hello")
    assert MinioObjectStore(found).get(unique) == b"hello"
    assert lake(found, unique) == "3 True"


def test_no_credentials_anywhere(settings: S3Settings, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("driftloop.adapters.s3.IamAwsProvider", _Nothing)  # else it asks an address that only Amazon's machines have
    with pytest.raises(ConfigurationError, match="no credentials"):
        MinioObjectStore(S3Settings(**_fields(settings) | {"access_key": None, "secret_key": None})).get(unique)


class _Nothing:
    def retrieve(self) -> None:
        raise ValueError("no machine")


def _fields(settings: S3Settings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__struct_fields__}
