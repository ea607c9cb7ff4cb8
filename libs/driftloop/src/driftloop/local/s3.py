"""A real S3 server for one machine: SeaweedFS from its wheel, on loopback, with its own credentials."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from driftloop.local.paths import installed_script
from driftloop.local.process import ProcessSpec

REGION = "us-east-1"
BUCKET = "driftloop"
NAME = "s3"
# Its orderly stop waits 15 s for streams that it holds open to itself. What it acknowledged is in its files, so a kill loses nothing.
STOP_SECONDS = 1.0
_MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 107


@dataclass(frozen=True)
class S3Access:
    """What a client needs to use the store."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str
    bucket: str

    @property
    def delta_options(self) -> dict[str, str]:
        """Storage options for delta-rs: commits are conditional puts."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_ALLOW_HTTP": "true",
            "aws_conditional_put": "etag",
        }


@dataclass(frozen=True)
class S3Ports:
    """Every port that the server opens; none is left to a default, which another stack could hold."""

    s3: int
    s3_grpc: int
    master: int
    master_grpc: int
    volume: int
    volume_grpc: int
    filer: int
    filer_grpc: int


class S3Server:
    """Writes credentials and configuration, and says how to run the server. Its data is under `<home>/s3`."""

    def __init__(self, home: Path, ports: S3Ports) -> None:
        self.home = home
        self.ports = ports
        self.folder = home / "s3"
        self.access_key_file = home / "secrets" / "s3-access-key"
        self.secret_key_file = home / "secrets" / "s3-secret-key"

    def prepare(self) -> None:
        """Make folders and, on the first run, credentials. Files with secrets are readable by their owner only."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        (self.home / "secrets").mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.secret_key_file.exists():
            _write_secret(self.access_key_file, secrets.token_hex(10))
            _write_secret(self.secret_key_file, secrets.token_hex(20))
        access = self.access()
        identity = {
            "name": "driftloop",
            "credentials": [{"accessKey": access.access_key, "secretKey": access.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        _write_secret(self.config_file, json.dumps({"identities": [identity]}))

    @property
    def config_file(self) -> Path:
        return self.home / "secrets" / "s3.json"

    def access(self) -> S3Access:
        """Address and credentials; needs `prepare` to have run once."""
        return S3Access(
            endpoint=f"http://127.0.0.1:{self.ports.s3}",
            access_key=self.access_key_file.read_text(),
            secret_key=self.secret_key_file.read_text(),
            region=REGION,
            bucket=BUCKET,
        )

    def spec(self) -> ProcessSpec:
        """The process to supervise; ready when an authenticated call works."""
        access = self.access()
        return ProcessSpec(
            name=NAME,
            argv=self._argv(),
            env=_inner_keys(),
            log_path=self.home / "logs" / "s3.log",
            ready=lambda: answers(access),
            stop_seconds=STOP_SECONDS,
        )

    def _argv(self) -> list[str]:
        ports = self.ports
        return [
            str(installed_script("weed")),
            "-logtostderr=true",
            "server",
            "-s3",
            "-filer",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-dir={self.folder / 'data'}",
            "-volume.max=0",  # as many as the disk holds
            "-master.volumeSizeLimitMB=1024",
            "-master.telemetry=false",
            "-master.electionTimeout=1s",  # alone, it elects itself; the default makes a restart wait for 12 s
            "-master.heartbeatInterval=100ms",
            "-volume.preStopSeconds=0",
            # The S3 port asks for a key, these would not: any page in a browser, or another user of the machine, could write objects.
            "-filer.disableHttp",
            "-disableHttp",  # of the master
            f"-master.port={ports.master}",
            f"-master.port.grpc={ports.master_grpc}",
            f"-volume.port={ports.volume}",
            f"-volume.port.grpc={ports.volume_grpc}",
            f"-filer.port={ports.filer}",
            f"-filer.port.grpc={ports.filer_grpc}",
            f"-s3.port={ports.s3}",
            f"-s3.port.grpc={ports.s3_grpc}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.iam=false",
            f"-s3.config={self.config_file}",
            *self._sockets(),
        ]

    def _sockets(self) -> list[str]:
        # by default they go to /tmp under a name that anyone can guess
        sockets = {name: self.folder / f"{name}.sock" for name in ("filer", "s3")}
        if any(len(os.fsencode(path)) > _MAX_SOCKET_PATH for path in sockets.values()):
            return []
        return [f"-{name}.localSocket={path}" for name, path in sockets.items()]


def _inner_keys() -> dict[str, str]:
    """What the server's parts sign their calls to one another with, made anew at every start. The port of the volumes must speak
    HTTP; with these it answers nobody else. (The ports of gRPC, which no browser speaks, are still open to processes of the machine.)"""
    roles = ("JWT_SIGNING", "JWT_SIGNING_READ", "JWT_FILER_SIGNING", "JWT_FILER_SIGNING_READ")
    return {f"WEED_{role}_KEY": secrets.token_hex(32) for role in roles}


def answers(access: S3Access) -> bool:
    """Whether an authenticated call works."""
    from minio.error import MinioException
    from urllib3.exceptions import HTTPError

    try:
        _client(access).list_buckets()
    except (MinioException, HTTPError, OSError):
        return False
    return True


def create_bucket(access: S3Access) -> None:
    """Create the bucket; nothing happens if it exists."""
    client = _client(access)
    if not client.bucket_exists(bucket_name=access.bucket):
        client.make_bucket(bucket_name=access.bucket)


def _client(access: S3Access):  # type: ignore[no-untyped-def]
    from minio import Minio
    from urllib3 import PoolManager, Retry, Timeout

    return Minio(
        endpoint=access.endpoint.removeprefix("http://"),
        access_key=access.access_key,
        secret_key=access.secret_key,
        region=access.region,
        secure=False,
        http_client=PoolManager(timeout=Timeout(5), retries=Retry(0)),
    )


def _write_secret(path: Path, text: str) -> None:
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(text)
    os.replace(partial, path)
