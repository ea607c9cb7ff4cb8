"""Bearer tokens: of a token endpoint, or of a function that the installation names (which is how MSK IAM comes in)."""

import base64
import importlib
import json
import ssl
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote_plus, urlencode
from urllib.request import Request, urlopen

from kafka.net.sasl.oauth import AbstractTokenProvider

from driftloop.adapters.kafka_security import ClientCredentials, KafkaSecurity
from driftloop.errors import ConfigurationError, TransientError

USED_SHARE = 0.8  # of a token's life; then a new one is asked for
ENDPOINT_SECONDS = 10.0
MAX_ANSWER_BYTES = 1024 * 1024


class Token(NamedTuple):
    """``seconds``: how long it is good for; 0: not known, so that it is used once."""

    text: str
    seconds: float


class TokenSource:
    """A good token for whoever connects, from any thread. One is asked for again when most of the life of the last is over."""

    def __init__(self, ask: Callable[[], Token]) -> None:
        self._ask, self._lock = ask, threading.Lock()
        self._text, self._until = "", 0.0

    def token(self) -> str:
        """Raises ConfigurationError for what is refused, TransientError when the endpoint does not answer."""
        with self._lock:
            now = time.monotonic()
            if now >= self._until:
                found = self._ask()
                self._text, self._until = found.text, now + USED_SHARE * found.seconds
            return self._text

    def forget(self) -> None:
        """A broker has refused it."""
        self._until = 0.0


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """As kafka-python asks for them."""

    def __init__(self, source: TokenSource) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        return self._source.token()


@cache  # the clients of a process share their tokens
def token_source(security: KafkaSecurity) -> TokenSource | None:
    """None when this block uses no tokens. Raises ConfigurationError when the named function is not there."""
    if security.token_provider is not None:
        setting = f"{security.prefix}TOKEN_PROVIDER={security.token_provider}"
        provider = _imported(setting, security.token_provider)
        return TokenSource(lambda: _provided(setting, provider))
    credentials = security.client_credentials
    if credentials is not None:
        return TokenSource(lambda: _fetched(security.prefix, credentials))
    return None


def _imported(setting: str, path: str) -> Callable[[], object]:
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise ConfigurationError(f"{setting}: {exc}; install what has it where this process runs") from exc
    if not callable(found):
        raise ConfigurationError(f"{setting} is no function")
    return found  # type: ignore[no-any-return]


def _provided(setting: str, provider: Callable[[], object]) -> Token:
    """A text, or as AWS's signer for MSK gives it: the text and when it expires, in milliseconds since 1970."""
    try:
        answer = provider()
    except Exception as exc:
        raise ConfigurationError(f"{setting} gave no token: {type(exc).__name__}: {exc}") from exc
    match answer:
        case str(text) if text:
            return Token(text, 0.0)
        case (str(text), int(expires_ms) | float(expires_ms)) if text:
            return Token(text, expires_ms / 1000 - time.time())
    raise ConfigurationError(
        f"{setting} gave {type(answer).__name__}: a token is a text, or a text and its expiry in milliseconds since 1970"
    )


def _fetched(prefix: str, credentials: ClientCredentials) -> Token:
    where = f"{prefix}OAUTH_TOKEN_ENDPOINT={credentials.endpoint}"
    fields = {"grant_type": "client_credentials", **({"scope": credentials.scope} if credentials.scope else {})}
    identity = base64.b64encode(f"{quote_plus(credentials.client_id)}:{quote_plus(credentials.client_secret.read())}".encode()).decode()
    request = Request(
        credentials.endpoint, urlencode(fields).encode(), {"Authorization": f"Basic {identity}", "Accept": "application/json"}
    )
    try:
        with urlopen(request, timeout=ENDPOINT_SECONDS, context=_trusting(prefix, credentials.ca_file)) as answer:
            body = answer.read(MAX_ANSWER_BYTES)
    except HTTPError as exc:
        exc.close()
        if exc.code not in (400, 401, 403):
            raise TransientError(f"{where} answers HTTP {exc.code}") from exc
        raise ConfigurationError(
            f"{where} refuses client {credentials.client_id!r} with HTTP {exc.code}: check {prefix}OAUTH_CLIENT_ID, "
            f"{credentials.client_secret.setting}={credentials.client_secret.path} and {prefix}OAUTH_SCOPE"
        ) from exc
    except OSError as exc:
        if isinstance(exc, URLError) and isinstance(exc.reason, ssl.SSLCertVerificationError):
            said = exc.reason.verify_message
            raise ConfigurationError(f"{where}: its certificate is not trusted ({said}); name its CA with {prefix}OAUTH_CA_FILE") from exc
        raise TransientError(f"{where} does not answer: {exc}") from exc
    try:
        found = json.loads(body)
        return Token(str(found["access_token"]), float(found.get("expires_in", 0)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ConfigurationError(f"{where} gives no access_token (RFC 6749, section 5.1): is it the token endpoint?") from exc


def _trusting(prefix: str, ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as exc:
        raise ConfigurationError(f"{prefix}OAUTH_CA_FILE: {ca_file} is no file of PEM certificates ({exc})") from exc
