"""The schema registry's answers, also those that none should give."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_port

from driftloop.adapters import schema_registry
from driftloop.adapters.schema_registry import SchemaRegistry, SchemaRegistrySettings, schema_registry_settings
from driftloop.errors import ConfigurationError, InvalidMessage, TransientError
from driftloop.ports import NamedSchema, Schema
from driftloop.settings import Environment, SecretFile

PATHS: dict[str, Any] = {
    "/schemas/ids/1": {"schema": '"string"'},
    "/schemas/ids/2": {
        "schema": "message",
        "schemaType": "PROTOBUF",
        "references": [{"name": "a.proto", "subject": "a/b", "version": 3}],
    },
    "/subjects/a%2Fb/versions/3": {"schema": "a", "references": [{"name": "c.proto", "subject": "c", "version": 1}]},
    "/subjects/c/versions/1": {"schema": "c"},
    "/schemas/ids/13": {"schema": "x", "references": [{"name": "l", "subject": "loop", "version": 1}]},
    "/subjects/loop/versions/1": {"schema": "l", "references": [{"name": "l", "subject": "loop", "version": 1}]},
    "/schemas/ids/3": {"schema": "x", "references": [{"name": "y"}]},
    "/schemas/ids/4": {"nothing": 1},
    "/schemas/ids/5": ["no object"],
    "/schemas/ids/6": {"schema": "x" * 2_000_000},
    "/schemas/ids/7": 500,
    "/schemas/ids/8": 401,
    "/schemas/ids/9": b"<html>Not Found</html>",  # with 404: of a proxy, or of another path
    "/schemas/ids/10": b"\x15\x03\x01 no HTTP\r\n\r\n",
    "/schemas/ids/11": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
}


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        answer = PATHS.get(self.path, {"error_code": 40403, "message": "Schema not found"})
        if self.path == "/schemas/ids/12":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/schemas/ids/1")
            self.end_headers()
            return
        if isinstance(answer, bytes) and not answer.startswith(b"<"):
            self.wfile.write(answer)
            return
        body = b"" if isinstance(answer, int) else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        found = isinstance(answer, list) or (isinstance(answer, dict) and "error_code" not in answer)
        self.send_response(answer if isinstance(answer, int) else 200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


def of(server: Any, **more: Any) -> SchemaRegistry:
    return SchemaRegistry(SchemaRegistrySettings(url=f"http://127.0.0.1:{server.server_port}", prefix="P_", **more))


def test_a_schema_is_asked_for_once(server: Any) -> None:
    registry = of(server)
    assert registry.schema(1) == registry.schema(1) == Schema(1, "AVRO", '"string"')
    assert len(server.asked) == 1


def test_what_a_schema_refers_to_comes_with_it_the_innermost_first(server: Any) -> None:
    assert of(server).schema(2) == Schema(2, "PROTOBUF", "message", (NamedSchema("c.proto", "c"), NamedSchema("a.proto", "a")))


def test_an_unknown_id_is_not_asked_for_with_every_record(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = of(server)
    for _ in range(2):
        with pytest.raises(InvalidMessage, match=r"schema 99 is not known to the schema registry at http://127"):
            registry.schema(99)
    assert len(server.asked) == 1
    monkeypatch.setattr(schema_registry, "UNKNOWN_SECONDS", 0.0)  # time has passed, and somebody may have registered it
    with pytest.raises(InvalidMessage):
        registry.schema(99)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("id", "kind", "said"),
    [
        (3, InvalidMessage, "schema 3 has a reference that names no subject and version"),
        (4, InvalidMessage, "schema 4: the registry gives no text of it"),
        (5, TransientError, "gives no object for schema 5: is it a schema registry?"),
        (6, InvalidMessage, "schema 6 has more than 1024 KiB"),
        (7, TransientError, "answers HTTP 500 for schema 7"),
        (8, ConfigurationError, "refuses schema 8 with HTTP 401: check P_USERNAME and P_PASSWORD_FILE"),
        (9, TransientError, "not as a schema registry does: is P_URL its whole address?"),
        (10, TransientError, "does not answer in HTTP (BadStatusLine): is it a schema registry?"),
        (13, InvalidMessage, "schema 13 refers to more than 100 others"),
        (11, TransientError, "does not answer in HTTP (IncompleteRead): is it a schema registry?"),
    ],
)
def test_answers_that_are_no_schema(id: int, kind: type[Exception], said: str, server: Any) -> None:
    with pytest.raises(kind) as raised:
        of(server).schema(id)
    assert said in str(raised.value)


def test_only_so_many_are_kept(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "MOST_KEPT", 1)
    registry = of(server)
    for number in (1, 2, 1):
        registry.schema(number)
    assert [path for path, _ in server.asked if path == "/schemas/ids/1"] == ["/schemas/ids/1"] * 2


def test_one_that_is_away_is_no_records_fault() -> None:
    registry = SchemaRegistry(SchemaRegistrySettings(url=f"http://127.0.0.1:{free_port()}", prefix="P_"))
    with pytest.raises(TransientError, match="does not answer"):
        registry.schema(1)


def test_a_user_shows_the_password_of_now(server: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")
    variables = {
        "DRIFTLOOP_INGEST_SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{server.server_port}/",
        "DRIFTLOOP_INGEST_SCHEMA_REGISTRY_USERNAME": "team",
        "DRIFTLOOP_INGEST_SCHEMA_REGISTRY_PASSWORD_FILE": str(tmp_path / "secret"),
    }
    settings = schema_registry_settings(Environment("ingest", variables))
    assert settings is not None
    registry = SchemaRegistry(settings)
    registry.schema(1)
    (tmp_path / "secret").write_text("two")
    registry.schema(2)
    assert [identity for _, identity in server.asked[:2]] == ["Basic dGVhbTpvbmU=", "Basic dGVhbTp0d28="]


def test_the_password_does_not_follow_to_another_host(server: Any, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one")
    registry = of(server, username="team", password=SecretFile("PASSWORD", str(tmp_path / "secret")))
    assert registry.schema(12).text == '"string"'
    assert [identity for _, identity in server.asked] == ["Basic dGVhbTpvbmU=", None]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"URL": "registry:8081"}, "must start with http:// or https://"),
        ({"URL": "http://registry:port"}, "is no address: write it as https://registry.example:8081"),
        ({"URL": "http://"}, "is no address"),
        ({"URL": "http://[::1"}, "is no address"),
        ({"URL": "http://a b"}, "is no address"),
        ({"URL": "http://r..x"}, "is no address"),
        ({"URL": "https://u:secret@r"}, "SCHEMA_REGISTRY_URL holds a user: name it with DRIFTLOOP_INGEST_SCHEMA_REGISTRY_USERNAME"),
        ({"USERNAME": "u"}, "SCHEMA_REGISTRY_URL is not set"),
        ({"URL": "http://r", "USERNAME": "u"}, "belong together"),
        ({"URL": "http://r", "CA_FILE": __file__}, "would not be used"),
        ({"URL": "https://r", "CA_FILE": __file__}, "is no file of PEM certificates"),
    ],
)
def test_settings_that_cannot_be_are_named(given: dict[str, str], said: str) -> None:
    variables = {f"DRIFTLOOP_INGEST_SCHEMA_REGISTRY_{name}": value for name, value in given.items()}
    with pytest.raises(ConfigurationError) as raised:
        schema_registry_settings(Environment("ingest", variables))
    assert said in str(raised.value)


def test_without_a_url_there_is_none() -> None:
    assert schema_registry_settings(Environment("ingest", {})) is None
