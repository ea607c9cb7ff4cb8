"""Keys and addresses that rules name: files of one folder, read anew whenever they are used, so that a new one needs no restart."""

import base64
import binascii
from pathlib import Path

from driftloop.contracts.names import is_name
from driftloop.errors import ConfigurationError
from driftloop.settings import SecretFile

PREFIX = "whsec_"  # as Standard Webhooks writes a key: base64 of its bytes behind it
SHORTEST_KEY = 16  # bytes


class Secrets:
    """``folder`` None: there are none."""

    def __init__(self, setting: str, folder: Path | None) -> None:
        self._setting, self._folder = setting, folder

    def read(self, name: str) -> str:
        """Raises ConfigurationError naming setting and file."""
        if self._folder is None:
            raise ConfigurationError(f"{self._setting} is not set, and a rule names the secret {name!r}: it is a file of that folder")
        if not is_name(name):  # a rule's names are checked; this is for whoever calls by another way
            raise ConfigurationError(f"{name!r} is no name of a secret")
        return SecretFile(self._setting, str(self._folder / name)).read()

    def key(self, name: str) -> bytes:
        """The bytes that a webhook is signed with. Raises ConfigurationError."""
        text = self.read(name)
        key = text.encode()
        if text.startswith(PREFIX):
            try:
                key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
            except binascii.Error as exc:
                raise ConfigurationError(f"{self._setting}: the secret {name!r} is not base64 after {PREFIX}") from exc
        if len(key) < SHORTEST_KEY:
            raise ConfigurationError(f"{self._setting}: the secret {name!r} has {len(key)} bytes; a key has {SHORTEST_KEY} at least")
        return key
