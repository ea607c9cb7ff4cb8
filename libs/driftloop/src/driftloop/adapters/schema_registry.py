"""Confluent's API of schema registries, as far as reading needs it. Ids are immutable, so what was read once is kept.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

import base64
import json
import ssl
import threading
import time
from collections import OrderedDict
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import msgspec

from driftloop.errors import ConfigurationError, InvalidMessage, TransientError
from driftloop.ports import NamedSchema, Schema
from driftloop.settings import Environment, SecretFile
from driftloop.telemetry import get_logger

ANSWER_SECONDS = 10.0
MAX_SCHEMA_BYTES = 1024 * 1024
MOST_KEPT = 1000
MOST_REFERENCES = 100  # of one schema, those of its references included
NOT_KNOWN = range(40401, 40500)  # what a registry says itself: a subject, a version or a schema that is not there, or deleted
UNKNOWN_SECONDS = 30.0  # how long an id that the registry does not know is not asked for again

log = get_logger(__name__)


class SchemaRegistrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is. ``prefix``: of the variables that said so."""

    url: str
    prefix: str
    username: str | None = None
    password: SecretFile | None = None
    ca_file: str | None = None


def schema_registry_settings(env: Environment) -> SchemaRegistrySettings | None:
    """Of the variables ``SCHEMA_REGISTRY_…``; None without a URL. Raises ConfigurationError naming the first that is wrong."""
    url, username = env.optional("SCHEMA_REGISTRY_URL"), env.optional("SCHEMA_REGISTRY_USERNAME")
    password, ca_file = env.secret_file("SCHEMA_REGISTRY_PASSWORD"), env.file("SCHEMA_REGISTRY_CA")
    name = f"{env.prefix}SCHEMA_REGISTRY_"
    if url is None:
        if username or password or ca_file:
            raise ConfigurationError(f"{name}URL is not set, and what else is said of a schema registry would not be used")
        return None
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{name}URL={url!r} must start with http:// or https://")
    _check_address(f"{name}URL", url)
    if (username is None) != (password is None):
        raise ConfigurationError(f"{name}USERNAME and {name}PASSWORD_FILE belong together: set both or none")
    if ca_file is not None and url.startswith("http://"):
        raise ConfigurationError(f"{name}CA_FILE is set and would not be used: {name}URL starts with http://")
    found = SchemaRegistrySettings(url=url.rstrip("/"), prefix=name, username=username, password=password, ca_file=ca_file)
    _trusting(found)
    return found


class SchemaRegistry:
    """Keeps ``ports.Schemas``. Safe to ask from any thread."""

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._known: OrderedDict[int, Schema] = OrderedDict()
        self._refused: OrderedDict[int, tuple[float, str]] = OrderedDict()

    def schema(self, id: int) -> Schema:
        with self._lock:
            found = self._known.get(id)
            if found is not None:
                return found
            since, why = self._refused.get(id, (float("-inf"), ""))
            if time.monotonic() - since < UNKNOWN_SECONDS:
                raise InvalidMessage(why)
            try:
                found = self._fetched(id)
            except InvalidMessage as exc:
                _keep(self._refused, id, (time.monotonic(), str(exc)))
                raise
            _keep(self._known, id, found)
            log.info("schema-read", id=id, type=found.type, bytes=len(found.text), references=len(found.references))
            return found

    def _fetched(self, id: int) -> Schema:
        answer = self._ask(f"/schemas/ids/{id}", f"schema {id}")
        references: dict[str, NamedSchema] = {}
        self._refer(answer, references, id)
        return Schema(id, str(answer.get("schemaType") or "AVRO"), _text(answer, id), tuple(references.values()))

    def _refer(self, answer: dict[str, Any], found: dict[str, NamedSchema], id: int, depth: int = 0) -> None:
        """What a schema refers to, those first that others need."""
        for reference in answer.get("references") or []:
            name, subject, version = (reference.get(key) for key in ("name", "subject", "version"))
            if not isinstance(name, str) or not isinstance(subject, str) or not isinstance(version, int):
                raise InvalidMessage(f"schema {id} has a reference that names no subject and version")
            if name in found:
                continue
            if len(found) >= MOST_REFERENCES or depth > MOST_REFERENCES:
                raise InvalidMessage(f"schema {id} refers to more than {MOST_REFERENCES} others")
            inner = self._ask(f"/subjects/{quote(subject, safe='')}/versions/{version}", f"{subject} version {version}, of schema {id}")
            self._refer(inner, found, id, depth + 1)
            found[name] = NamedSchema(name, _text(inner, id))

    def _ask(self, path: str, what: str) -> dict[str, Any]:
        where = self._settings.url
        request = Request(where + path, headers={"Accept": "application/vnd.schemaregistry.v1+json, application/json"})
        try:
            if self._settings.username is not None and self._settings.password is not None:
                identity = f"{self._settings.username}:{self._settings.password.read()}"
                # not repeated where an answer leads elsewhere: the password is the registry's alone
                request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(identity.encode()).decode()}")
            with urlopen(request, timeout=ANSWER_SECONDS, context=_trusting(self._settings)) as answer:
                body = answer.read(MAX_SCHEMA_BYTES + 1)
        except HTTPError as exc:
            said = _said(exc)
            if exc.code == 404 and said in NOT_KNOWN:
                raise InvalidMessage(f"{what} is not known to the schema registry at {where}") from exc
            if exc.code == 404:  # a proxy, or another path: the record is not to blame
                setting = f"{self._settings.prefix}URL"
                raise TransientError(
                    f"{where} answers HTTP 404 for {what}, and not as a schema registry does: is {setting} its whole address?"
                ) from exc
            if exc.code in (401, 403):
                raise ConfigurationError(
                    f"the schema registry at {where} refuses {what} with HTTP {exc.code}: check {self._settings.prefix}USERNAME and "
                    f"{self._settings.prefix}PASSWORD_FILE, and that this user may read schemas"
                ) from exc
            raise TransientError(f"the schema registry at {where} answers HTTP {exc.code} for {what}") from exc
        except OSError as exc:
            if isinstance(exc, URLError) and isinstance(exc.reason, ssl.SSLCertVerificationError):
                raise ConfigurationError(
                    f"the schema registry at {where}: its certificate is not trusted ({exc.reason.verify_message}); "
                    f"name its CA with {self._settings.prefix}CA_FILE"
                ) from exc
            raise TransientError(f"the schema registry at {where} does not answer: {exc}") from exc
        except (HTTPException, UnicodeError) as exc:
            raise TransientError(f"{where} does not answer in HTTP ({type(exc).__name__}): is it a schema registry?") from exc
        if len(body) > MAX_SCHEMA_BYTES:
            raise InvalidMessage(f"{what} has more than {MAX_SCHEMA_BYTES // 1024} KiB")
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as exc:
            raise TransientError(f"{where} gives no JSON for {what}: is it a schema registry?") from exc
        if not isinstance(found, dict):
            raise TransientError(f"{where} gives no object for {what}: is it a schema registry?")
        return found


def _check_address(name: str, url: str) -> None:
    """Raises ConfigurationError for what could not be asked."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname and parts.hostname.encode("idna") and (parts.port or 0) >= 0 and url.isprintable() and " " not in url)
    except ValueError:  # of the port, of brackets, and of names that DNS could not hold
        usable = False
    if not usable:
        raise ConfigurationError(f"{name}={url!r} is no address: write it as https://registry.example:8081")
    if parts.username is not None:
        raise ConfigurationError(f"{name} holds a user: name it with {name[:-3]}USERNAME and {name[:-3]}PASSWORD_FILE")


def _said(refusal: HTTPError) -> int | None:
    """The registry's own number of what is wrong, where it says one."""
    try:
        with refusal:
            found = json.loads(refusal.read(MAX_SCHEMA_BYTES))
    except (OSError, HTTPException, ValueError, RecursionError):
        return None
    code = found.get("error_code") if isinstance(found, dict) else None
    return code if isinstance(code, int) else None


def _text(answer: dict[str, Any], id: int) -> str:
    text = answer.get("schema")
    if not isinstance(text, str):
        raise InvalidMessage(f"schema {id}: the registry gives no text of it")
    return text


def _keep(where: OrderedDict[int, Any], id: int, value: Any) -> None:
    where[id] = value
    if len(where) > MOST_KEPT:
        where.popitem(last=False)


def _trusting(settings: SchemaRegistrySettings) -> ssl.SSLContext | None:
    if settings.url.startswith("http://"):
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as exc:
        raise ConfigurationError(f"{settings.prefix}CA_FILE: {settings.ca_file} is no file of PEM certificates ({exc})") from exc
