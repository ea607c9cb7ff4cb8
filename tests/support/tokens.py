"""Tokens for Kafka's OAUTHBEARER, as the broker's validator for tests takes them: nobody has signed them.

The functions without arguments are named by their import path, also in processes of services, so this imports nothing else.
"""

import base64
import json
import time


def unsigned_token(subject: str, seconds: float) -> str:
    """A token that Kafka's validator for tests takes: nobody has signed it."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": subject, "iat": now - 60, "exp": now + seconds})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def token() -> str:
    return unsigned_token("alice", 3600)


def expired_token() -> str:
    return unsigned_token("alice", -30)


def no_token() -> str:
    raise PermissionError("not logged in")
