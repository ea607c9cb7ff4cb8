"""What a running stack tells others about itself: `<home>/stack.json`."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from driftloop.local.errors import LocalStackError
from driftloop.local.instances import Instance
from driftloop.local.s3 import S3Access


@dataclass(frozen=True)
class StackAddresses:
    """Where everything is. Credentials are named by file; their contents are not kept here."""

    home: str
    port_base: int
    kafka_bootstrap: str
    s3_endpoint: str
    s3_access_key_file: str
    s3_secret_key_file: str
    s3_region: str
    s3_bucket: str
    registry_url: str
    services: dict[str, str] = field(default_factory=dict)
    """URL by instance, such as predictor-0."""
    projects: dict[str, str] = field(default_factory=dict)
    """Project by instance, of those that work for one by name."""
    log_files: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    """At the time of writing; a restart changes one. `supervisor` is the process that owns them all."""
    restarts: dict[str, int] = field(default_factory=dict)
    """How often the supervisor has started a process again, of those that it has."""
    failures: dict[str, str] = field(default_factory=dict)
    """Processes that the supervisor has given up on, with the reason."""
    supervisor_identity: str = ""
    """What `identity` says of the supervisor, so that a reused pid is noticed."""

    @property
    def s3(self) -> S3Access:
        return S3Access(
            endpoint=self.s3_endpoint,
            access_key=Path(self.s3_access_key_file).read_text(),
            secret_key=Path(self.s3_secret_key_file).read_text(),
            region=self.s3_region,
            bucket=self.s3_bucket,
        )

    @property
    def instances(self) -> list[Instance]:
        """What runs, or has been given up on."""
        numbered = ((name, *name.rpartition("-")[::2]) for name in self.services)
        return [Instance(service, int(number), self.projects.get(name)) for name, service, number in numbered]

    def write(self) -> None:
        path = addresses_path(Path(self.home))
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        os.replace(partial, path)


def addresses_path(home: Path) -> Path:
    return home / "stack.json"


def read_addresses(home: Path) -> StackAddresses:
    """Addresses of the stack whose home this is; an error says how to start one."""
    path = addresses_path(home)
    try:
        return StackAddresses(**json.loads(path.read_text()))
    except FileNotFoundError:
        raise LocalStackError(f"no stack runs here ({path} is missing): start one with `driftloop up`") from None
    except (ValueError, TypeError) as exc:
        raise LocalStackError(f"{path} is not a stack's description ({exc}): remove it and run `driftloop up`") from exc
