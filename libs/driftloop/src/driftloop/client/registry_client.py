"""The registry over HTTP, as commands use it."""

from typing import Any

import httpx

from driftloop.errors import TransientError, UserError


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

    def _ask(self, method: str, path: str, **kwargs: Any) -> Any:
        try:
            response = httpx.request(method, self._url + path, timeout=self._timeout, verify=self._verify, **kwargs)
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
