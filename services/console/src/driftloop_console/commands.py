"""What a person may ask of the registry here: forms that become calls to it, each under the key that its page has made."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from driftloop.client.arguments import checked_name
from driftloop.client.registry_client import RegistryClient
from driftloop.errors import UserError
from driftloop.registry.state import CHAMPION

MAX_REASON, MAX_ACTOR = 2_000, 200
MAX_FIELDS = 20
VERBS = ("promote", "rollback", "approve", "reject")
_KEY = re.compile(r"[0-9a-zA-Z-]{8,64}")


class Call(NamedTuple):
    """A call to the registry: done once, however often it is made under its key."""

    path: str
    body: dict[str, Any]
    key: str
    model: str


def fields_of(body: bytes) -> dict[str, str]:
    """Of a form as a browser sends it. Raises UserError."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="utf-8", errors="strict")
    except ValueError as exc:
        raise UserError(f"this is no form: {exc}") from exc
    return dict(pairs)


def call_of(verb: str, fields: Mapping[str, str]) -> Call:
    """Raises UserError for what is missing or wrong. Epochs are those that the page showed: who comes second is refused."""
    model = checked_name(fields.get("model", ""), "name of a model")
    reason, actor, key = (fields.get(name, "").strip() for name in ("reason", "actor", "key"))
    if not reason or len(reason) > MAX_REASON:
        raise UserError(f"say why, in at most {MAX_REASON:,} characters: the reason stays on the record")
    if not actor or len(actor) > MAX_ACTOR:
        raise UserError(f"say who you are, in at most {MAX_ACTOR} characters: the name stays on the record")
    if not _KEY.fullmatch(key):
        raise UserError("the form has no key of its own: open its page again, and send it from there")
    said = {"reason": reason, "actor": actor}
    if verb == "rollback":
        return Call(f"/models/{model}/aliases/{CHAMPION}/rollback", said | {"expected_epoch": _whole(fields, "expected_epoch")}, key, model)
    version = _whole(fields, "version")
    if verb == "promote":
        body = said | {"version": version, "expected_epoch": _whole(fields, "expected_epoch")}
        return Call(f"/models/{model}/aliases/{CHAMPION}", body, key, model)
    return Call(f"/models/{model}/versions/{version}/{verb}", said, key, model)


def through(registry: RegistryClient) -> Callable[[Call], dict[str, Any]]:
    """Makes a call. Raises UserError with the registry's words when it refuses, TransientError when its answer is not known."""

    def make(call: Call) -> dict[str, Any]:
        answer = registry.post(call.path, call.body, key=call.key)
        return answer if isinstance(answer, dict) else {}

    return make


def _whole(fields: Mapping[str, str], name: str) -> int:
    said = fields.get(name, "")
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise UserError(f"{name}={said[:40]!r} is no whole number")
    return int(said)
