"""Versions trained from a real lake without a trainer service, and commands that ask a real registry about them."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

from click.testing import CliRunner, Result
from tests.integration.registry.registry_process import Registry
from tests.integration.trainer.harness import World
from tests.support.waiting import PATIENCE_SECONDS

from driftloop.adapters.kafka import KafkaTopics
from driftloop.cli.main import cli
from driftloop.contracts.codec import envelope
from driftloop.contracts.commands import MoveAlias, RegisterVersion
from driftloop.contracts.events import RetrainRequested
from driftloop.history.registry_follower import read_registry
from driftloop.history.told import Told
from driftloop.registry.state import ModelState
from driftloop.service.process import Stop
from driftloop.training.process import train
from driftloop.training.workspace import Workspace
from driftloop_trainer.environments import Environments
from driftloop_trainer.pinning import Pinner

DRIFTLOOP = [sys.executable, "-m", "driftloop.cli"]


class LineageWorld(World):
    """A stream of three windows in the lake. ``train`` makes a version of what the lake holds, and a champion of it."""

    def model(self) -> ModelState:
        """As the registry's log has it now."""
        model = read_registry(KafkaTopics(self.bootstrap, client_id="test")).model(self.name)
        assert model is not None
        return model

    def train(self, *, champion: bool = True) -> ModelState:
        model, folder = self.model(), self.folder / uuid.uuid4().hex
        request = RetrainRequested(model=self.name, reason="manual", detail="test", requested_by="test")
        asked = Told(request, envelope(request, id=uuid.uuid4().hex, source="test", subject=self.name))
        started = Pinner(self.store, self.settings, Environments()).pin([asked], model, self.project)
        workspace = Workspace(folder, self.store)
        run = workspace.lay_out(started, model, self.project)
        result = train(run, threads=started.pins.threads, timeout_seconds=120, stop=Stop(), on_progress=lambda _: None)
        assert result.trained is not None, result.failure
        manifest = workspace.store(run, started, self.project, result.trained)
        number = len(model.versions) + 1
        self.command(RegisterVersion, model=self.name, request_id=asked.about.id, manifest=manifest, pins=started.pins)
        if champion:
            self.command(MoveAlias, model=self.name, alias="champion", version=number, expected_epoch=model.champion_epoch)
        return self.model()


class Commands:
    """`driftloop …` in processes of their own, against this world."""

    def __init__(self, world: LineageWorld, registry: Registry, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        (home / "access").write_text(world.s3.access_key)
        (home / "secret").write_text(world.s3.secret_key)
        self.settings = named = {
            "KAFKA_BOOTSTRAP": world.bootstrap,
            "S3_ENDPOINT": world.s3.endpoint,
            "S3_BUCKET": world.s3.bucket,
            "S3_REGION": world.s3.region,
            "S3_ACCESS_KEY_FILE": str(home / "access"),
            "S3_SECRET_KEY_FILE": str(home / "secret"),
            "REGISTRY_URL": str(registry.client.base_url).rstrip("/"),
        }
        self._env = {f"DRIFTLOOP_CLI_{k}": v for k, v in named.items()} | {"DRIFTLOOP_HOME": str(home)}

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen([*DRIFTLOOP, *arguments], env=os.environ | self._env | env, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str) -> Result:
        """In this process: most of the time of a process of its own is imports."""
        return CliRunner().invoke(cli, arguments, env=self._env)

    def python(self, code: str) -> "subprocess.CompletedProcess[str]":
        """Python code in a process of its own, in the commands' environment."""
        return subprocess.run(
            [sys.executable, "-c", code], env=os.environ | self._env, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS
        )
