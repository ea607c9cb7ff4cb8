"""The registry over HTTP, as commands use it."""

import time
import uuid
from typing import Any

import httpx

from driftloop.errors import TransientError, UserError


class Unreached(TransientError):
    """No call was made: there is nobody to make it to."""


REPEAT_SECONDS = (1.0, 2.0, 4.0)  # pauses before a call whose outcome is unknown is made again


class RegistryClient:
    """Raises UserError with the registry's own words for a refusal, TransientError when it cannot be reached."""

    def __init__(self, url: str, *, timeout_seconds: float = 30.0) -> None:
        self._url, self._timeout = url, timeout_seconds
        self._verify = url.startswith("https:")  # certificates are not even read for http: that takes 0.1 s

    def get(self, path: str, **params: Any) -> Any:
        return self._ask("GET", path, params=params)

    def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        """``key``: a call repeated with it is done once."""
        return self._ask("POST", path, json=body, headers={"Idempotency-Key": key} if key else {})

    def change(self, path: str, body: Any) -> Any:
        """A call that changes something, under a key of its own: made again under it while its outcome is unknown, and so done once.

        Raises TransientError when it is still unknown after the last of REPEAT_SECONDS, or the registry cannot be reached.
        """
        key, asked = str(uuid.uuid4()), False
        for pause in REPEAT_SECONDS:
            try:
                return self.post(path, body, key=key)
            except TransientError as exc:
                if isinstance(exc, Unreached) and not asked:
                    raise  # nothing was; once something was, a registry that just starts again is waited for
                asked = True
                time.sleep(pause)
        return self.post(path, body, key=key)

    def _ask(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            response = httpx.request(method, self._url + path, timeout=self._timeout, verify=self._verify, **kwargs)
        except httpx.ConnectError as exc:
            raise Unreached(f"the registry at {self._url} does not answer: {exc}") from exc
        except httpx.HTTPError as exc:
            raise TransientError(f"the registry at {self._url} does not answer: {exc}") from exc
        if response.status_code >= 500:
            raise TransientError(f"the registry answered {response.status_code}: {response.text[:200]}")
        if response.status_code >= 400:
            raise UserError(f"the registry refused: {_reason(response)}")
        return response.json()


def _reason(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return response.text[:500]
    if isinstance(body, dict):
        return str(body.get("reason") or body.get("error") or body.get("detail") or body)
    return str(body)
