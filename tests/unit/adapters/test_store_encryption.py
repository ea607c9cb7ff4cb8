"""What the store is asked for with each object. The local store keeps no keys, so the requests themselves are looked at."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.errors import ConfigurationError
from driftloop.settings import Environment, S3Settings, s3_settings

ENCRYPTION, KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"


class Store:
    """Takes every object, and keeps what was asked of it."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                store.headers.append({name.lower(): value for name, value in self.headers.items()})
                store.paths.append(self.path)
                self.send_response(200)
                self.send_header("ETag", '"0"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


def settings(store: Store, **more: str) -> S3Settings:
    return S3Settings(endpoint=store.url, bucket="bucket", region="us-east-1", access_key="a", secret_key="s", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({}, {}),
        ({"encryption": "AES256"}, {ENCRYPTION: "AES256"}),
        ({"encryption": "aws:kms"}, {ENCRYPTION: "aws:kms"}),
        ({"encryption": "aws:kms", "kms_key": "arn:key"}, {ENCRYPTION: "aws:kms", KEY: "arn:key"}),
    ],
)
def test_an_object_is_asked_to_be_encrypted(store: Store, more: dict[str, str], asked: dict[str, str]) -> None:
    client = MinioObjectStore(settings(store, **more))
    client.put("k", b"x")
    assert {name: store.headers[0][name] for name in (ENCRYPTION, KEY) if name in store.headers[0]} == asked
    assert client.put_if_absent("k", b"x")
    for name in (ENCRYPTION, KEY):  # signed with the URL
        assert (name in store.paths[1].lower()) == (name in asked)


def test_delta_asks_for_the_same() -> None:
    options = S3Settings(endpoint="https://s", bucket="bucket", region="r", encryption="aws:kms", kms_key="arn:key").delta_options
    assert (options["aws_server_side_encryption"], options["aws_sse_kms_key_id"]) == ("aws:kms", "arn:key")
    assert not {name for name in options if "ACCESS_KEY" in name}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"ENDPOINT": "s3.example.com"}, "S3_ENDPOINT='s3.example.com' must start with http:// or https://"),
        ({"CREDENTIALS": "vault"}, "S3_CREDENTIALS='vault' must be files or environment"),
        ({"CREDENTIALS": "files"}, "S3_ACCESS_KEY_FILE is not set"),
        ({"ENCRYPTION": "yes"}, "S3_ENCRYPTION='yes' must be one of AES256, aws:kms"),
        ({"ENCRYPTION": "AES256", "KMS_KEY": "k"}, "S3_KMS_KEY is set and would not be used: set DRIFTLOOP_TEST_S3_ENCRYPTION to aws:kms"),
        ({"ENDPOINT": "http://s", "CA_FILE": "/ca"}, "S3_CA_FILE is set and would not be used"),
        ({"CA_FILE": "/nowhere"}, "S3_CA_FILE: /nowhere is no file of PEM certificates"),
    ],
)
def test_a_setting_that_is_wrong_is_named(told: dict[str, str], reason: str) -> None:
    given = {"ENDPOINT": "https://s", "CREDENTIALS": "environment"} | told
    with pytest.raises(ConfigurationError) as caught:
        s3_settings(Environment("test", {f"DRIFTLOOP_TEST_S3_{name}": value for name, value in given.items()}))
    assert str(caught.value).startswith(f"DRIFTLOOP_TEST_{reason}")
