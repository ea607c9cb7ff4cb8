"""Files of Maven's central repository that tests run, by coordinate and sha256; kept beside the broker's jars."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from jgo.maven import MavenContext
from tests.support.servers import shared_cache

from driftloop.local.jars import locked

DOWNLOAD_SECONDS = 300


class MavenFile(NamedTuple):
    group: str
    artifact: str
    version: str
    sha256: str
    classifier: str = ""
    packaging: str = "jar"

    def path(self) -> Path:
        """Of the file, which is downloaded unless it is there."""
        name = "-".join(part for part in (self.artifact, self.version, self.classifier) if part)
        found = shared_cache() / "test-files" / f"{name}.{self.packaging}"
        found.parent.mkdir(parents=True, exist_ok=True)
        with locked(found.with_name(f"{found.name}.lock")), tempfile.TemporaryDirectory(dir=found.parent) as scratch:
            if not found.exists():
                context = MavenContext(repo_cache=Path(scratch) / "maven", timeout=DOWNLOAD_SECONDS)
                artifact = context.project(self.group, self.artifact).at_version(self.version).artifact(self.classifier, self.packaging)
                partial = Path(scratch) / "partial"
                shutil.copyfile(artifact.resolve(), partial)
                with partial.open("rb") as data:
                    actual = hashlib.file_digest(data, "sha256").hexdigest()
                assert actual == self.sha256, f"{found.name} has sha256 {actual}: it is not the pinned file"
                os.replace(partial, found)
        return found
