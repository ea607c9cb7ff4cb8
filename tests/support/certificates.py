"""Certificate authorities for tests: made by openssl, in a folder of the test."""

import subprocess
from pathlib import Path
from typing import NamedTuple

DAY = 1


class Identity(NamedTuple):
    """PEM files."""

    cert: Path
    key: Path

    def keystore(self, path: Path) -> Path:
        """Both in one file, as Kafka wants them."""
        path.write_text(self.key.read_text() + self.cert.read_text())
        return path


class Authority:
    """Signs certificates for servers on this machine and for clients."""

    def __init__(self, folder: Path, name: str = "test-ca") -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.cert, self._key = folder / f"{name}.crt", folder / f"{name}.key"
        _openssl("req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self.cert, "-days", DAY, "-subj", f"/CN={name}")

    def server(self, name: str = "server", address: str = "IP:127.0.0.1,DNS:localhost") -> Identity:
        return self._signed(name, ["-addext", f"subjectAltName={address}"], ["-days", DAY])

    def client(self, name: str) -> Identity:
        """Its principal is ``User:CN=<name>``, or what the broker's rules make of it."""
        return self._signed(name, [], ["-days", DAY])

    def expired(self, name: str) -> Identity:
        """A client's, good until yesterday."""
        return self._signed(name, [], ["-days", -1])

    def _signed(self, name: str, extensions: list[str], valid: list[object]) -> Identity:
        made = Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        request = self._folder / f"{name}.csr"
        _openssl("req", *_NEW_KEY, "-keyout", made.key, "-out", request, "-subj", f"/CN={name}", *extensions)
        signing = ["-CA", self.cert, "-CAkey", self._key, "-CAcreateserial", "-copy_extensions", "copy"]
        _openssl("x509", "-req", "-in", request, "-out", made.cert, *signing, *valid)
        return made


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
