"""Settings that the library needs to connect, and how settings are read from the environment under one prefix."""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import msgspec

from driftloop.errors import ConfigurationError

Encryption = Literal["AES256", "aws:kms"]


class S3Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where objects live. ``endpoint`` is a URL; keys are read from files, or None: then the environment's own chain finds some, which
    are AWS_* variables, the shared credentials file, a web identity, or the role of the container or machine."""

    endpoint: str
    bucket: str
    region: str
    access_key: str | None = None
    secret_key: str | None = None
    ca_file: str | None = None  # PEM, of who may sign the store's certificate; None: the system's
    encryption: Encryption | None = None  # that the store is asked for with each object; None: what the bucket does by itself
    kms_key: str | None = None  # with aws:kms; None: the account's own

    @property
    def delta_options(self) -> dict[str, str]:
        """Storage options for delta-rs: commits are conditional puts."""
        options = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ALLOW_HTTP": "true" if self.endpoint.startswith("http://") else "false",
            "aws_conditional_put": "etag",
        }
        if self.access_key is not None and self.secret_key is not None:
            options |= {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        if self.encryption is not None:
            options["aws_server_side_encryption"] = self.encryption
        if self.kms_key is not None:
            options["aws_sse_kms_key_id"] = self.kms_key
        return options

    def table_uri(self, stream: str, table: str) -> str:
        return f"s3://{self.bucket}/lake/{stream}/{table}"


class SecretFile(msgspec.Struct, frozen=True):
    """A secret that is read anew whenever a connection is made, so that a rotated one needs no restart."""

    setting: str  # the whole name of the variable
    path: str

    def read(self) -> str:
        """Raises ConfigurationError naming setting and file."""
        try:
            value = Path(self.path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"{self.setting}: cannot read {self.path}: {exc}") from exc
        if not value:
            raise ConfigurationError(f"{self.setting}: {self.path} is empty")
        return value


_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


class Environment:
    """The variables of one service, ``DRIFTLOOP_<SERVICE>_<NAME>``."""

    def __init__(self, service: str, variables: Mapping[str, str] | None = None) -> None:
        self.prefix = f"DRIFTLOOP_{service.upper()}_"
        self._variables = os.environ if variables is None else variables

    def text(self, name: str, default: str | None = None) -> str:
        value = self._variables.get(self.prefix + name, default)
        if value is None or value == "":
            raise ConfigurationError(f"{self.prefix}{name} is not set")
        return value

    def optional(self, name: str) -> str | None:
        """None when the variable is not set or empty."""
        return self._variables.get(self.prefix + name) or None

    def host_names(self, name: str) -> frozenset[str]:
        """Names separated by commas, in lower case; none when the variable is not set."""
        names = frozenset(found.strip().lower() for found in (self.optional(name) or "").split(",") if found.strip())
        wrong = next((found for found in sorted(names) if not _HOST_NAME.fullmatch(found)), None)
        if wrong is not None:
            raise ConfigurationError(f"{self.prefix}{name}: {wrong!r} is no host name; give names separated by commas, without ports")
        return names

    def integer(self, name: str, default: int | None = None, *, minimum: int = 0, maximum: int = 2**31) -> int:
        text = self.text(name, None if default is None else str(default))
        try:
            value = int(text)
        except ValueError:
            raise ConfigurationError(f"{self.prefix}{name}={text!r} is not a whole number") from None
        if not minimum <= value <= maximum:
            raise ConfigurationError(f"{self.prefix}{name}={value} is not between {minimum} and {maximum}")
        return value

    def optional_integer(self, name: str, *, minimum: int = 0, maximum: int = 2**31) -> int | None:
        """None when the variable is not set or empty."""
        return None if self.optional(name) is None else self.integer(name, minimum=minimum, maximum=maximum)

    def number(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            return float(text)
        except ValueError:
            raise ConfigurationError(f"{self.prefix}{name}={text!r} is not a number") from None

    def secret(self, name: str) -> str:
        """The contents of the file that ``<NAME>_FILE`` names."""
        path = self.text(f"{name}_FILE")
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigurationError(f"{self.prefix}{name}_FILE: cannot read {path}: {exc}") from exc
        if not value:
            raise ConfigurationError(f"{self.prefix}{name}_FILE: {path} is empty")
        return value

    def file(self, name: str) -> str | None:
        """The path of a file that can be read, of ``<NAME>_FILE``; None when that is not set or empty."""
        path = self.optional(f"{name}_FILE")
        if path is not None:
            try:
                Path(path).open("rb").close()
            except OSError as exc:
                raise ConfigurationError(f"{self.prefix}{name}_FILE: cannot read {path}: {exc.strerror}") from exc
        return path

    def secret_file(self, name: str) -> SecretFile | None:
        """The file that ``<NAME>_FILE`` names, which can be read now and is not empty; None when that is not set or empty."""
        return None if self.optional(f"{name}_FILE") is None else self.needed_secret_file(name)

    def needed_secret_file(self, name: str) -> SecretFile:
        """The same of a variable that must be set."""
        found = SecretFile(f"{self.prefix}{name}_FILE", self.text(f"{name}_FILE"))
        found.read()
        return found


def replication(env: Environment) -> int | None:
    """How many replicas topics shall have; None: as many as the broker makes. Raises ConfigurationError."""
    return env.optional_integer("REPLICATION", minimum=1, maximum=15)


def s3_settings(env: Environment) -> S3Settings:
    """Of the variables ``S3_…``. Raises ConfigurationError naming the first that is missing or wrong."""
    endpoint = env.text("S3_ENDPOINT")
    if not endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(f"{env.prefix}S3_ENDPOINT={endpoint!r} must start with http:// or https://")
    source = env.text("S3_CREDENTIALS", "files")
    if source not in ("files", "environment"):
        raise ConfigurationError(f"{env.prefix}S3_CREDENTIALS={source!r} must be files or environment")
    encryption, kms_key = env.optional("S3_ENCRYPTION"), env.optional("S3_KMS_KEY")
    if encryption not in (None, *get_args(Encryption)):
        raise ConfigurationError(f"{env.prefix}S3_ENCRYPTION={encryption!r} must be one of {', '.join(get_args(Encryption))}")
    if kms_key is not None and encryption != "aws:kms":
        raise ConfigurationError(f"{env.prefix}S3_KMS_KEY is set and would not be used: set {env.prefix}S3_ENCRYPTION to aws:kms")
    return S3Settings(
        endpoint=endpoint.rstrip("/"),
        bucket=env.text("S3_BUCKET", "driftloop"),
        region=env.text("S3_REGION", "us-east-1"),
        access_key=env.secret("S3_ACCESS_KEY") if source == "files" else None,
        secret_key=env.secret("S3_SECRET_KEY") if source == "files" else None,
        ca_file=_ca_file(env, endpoint),
        encryption=encryption,  # type: ignore[arg-type]
        kms_key=kms_key,
    )


def _ca_file(env: Environment, endpoint: str) -> str | None:
    path = env.optional("S3_CA_FILE")
    if path is None:
        return None
    if endpoint.startswith("http://"):
        raise ConfigurationError(f"{env.prefix}S3_CA_FILE is set and would not be used: {env.prefix}S3_ENDPOINT starts with http://")
    try:
        ssl.create_default_context(cafile=path)
    except OSError as exc:
        raise ConfigurationError(f"{env.prefix}S3_CA_FILE: {path} is no file of PEM certificates ({exc})") from exc
    return path
