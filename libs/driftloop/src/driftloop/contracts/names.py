"""Names that callers may give. Keys and URLs are derived from them, so they never hold a path."""

import re
from typing import Annotated

import msgspec

# Python's $ also matches before a final newline; the look-ahead takes that away, and JSON Schema understands it too.
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$(?!\n)"
DIGEST_PATTERN = r"^[0-9a-f]{64}$(?!\n)"

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN, description="lower-case letters, digits and hyphens; at most 63")]
Digest = Annotated[str, msgspec.Meta(pattern=DIGEST_PATTERN, description="sha256 of the bytes, 64 lower-case hex digits")]

_NAME = re.compile(NAME_PATTERN)
_DIGEST = re.compile(DIGEST_PATTERN)


def is_name(value: str) -> bool:
    return _NAME.fullmatch(value) is not None


def is_digest(value: str) -> bool:
    return _DIGEST.fullmatch(value) is not None
