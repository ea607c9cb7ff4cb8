"""A stack with one small project and its applications, for tests of a whole journey."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pyarrow as pa
import pytest
from click.testing import CliRunner
from tests.support.ports import free_port_base
from tests.support.servers import shared_cache
from tests.support.waiting import PATIENCE_SECONDS, wait_until

import driftloop
from driftloop.adapters.kafka import Producer, Publisher, partitions_of, read_topic
from driftloop.cli.main import cli
from driftloop.client.models import RegisteredVersion
from driftloop.client.registration import register_project
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, JSON, watermark_header
from driftloop.contracts.topics import RETRAIN_REQUESTS, labels, quarantine, requests
from driftloop.errors import TransientError, UserError
from driftloop.installation import installation_of
from driftloop.local.prepare import prepare_stack
from driftloop.local.stack import LocalStack
from driftloop.project.model import Project
from driftloop.rows.arrow_stream import encode_table
from driftloop.service.quarantine import read_quarantined

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
IN_A_WINDOW = 200

CONFIG = """
[project]
name = "shop"
model = "late"
[stream]
name = "shop"
version = {version}
[features]
{features}
[target]
name = "late"
type = "boolean"
metric = "roc_auc"
[windows]
every = "1h"
[policy]
min_new_labels = 1000000
[training]
candidates = ["all"]
threads = 1
[promotion]
min_rows = 50
tolerance = -1.0
promotion_worth = 0.0
"""
PIPELINE = """
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def build():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return make_pipeline(
        make_column_transformer((encoder, ["kind"]), remainder="passthrough"), HistGradientBoostingClassifier(max_iter=10, random_state=0)
    )
"""
FIRST = 'amount = "number"\nkind = "category"'


class Shop:
    """A stack, a project in a folder that changes, and its applications."""

    config, pipeline = CONFIG, PIPELINE

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self.addresses = stack.addresses()
        self.info = installation_of(self.addresses)
        self.folder = folder
        self.bootstrap = self.info.kafka_bootstrap
        self.client = driftloop.Client(stack=self.info)
        self.producer: Producer | None = None

    def register(self, features: str, version: int = 1) -> Project:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "driftloop.toml").write_text(self.config.format(features=features, version=version))
        (self.folder / "pipeline.py").write_text(self.pipeline)
        project = register_project(self.folder, self.info)
        if self.producer is None:
            self.producer = Producer(self.bootstrap, client_id="applications")
        return project

    def send_json(self, numbers: range, **more: Callable[[int], Any]) -> None:
        for n in numbers:
            body = row(n) | {name: value(n) for name, value in more.items()}
            self.producer.send(requests("shop"), msgspec.json.encode(body), key=b"k%d" % n, headers=((CONTENT_TYPE, JSON.encode()),))
        self.producer.flush()

    def send_arrow(self, numbers: range, schema: pa.Schema, **more: Callable[[int], Any]) -> None:
        table = pa.Table.from_pylist([row(n) | {name: value(n) for name, value in more.items()} for n in numbers], schema=schema)
        self.producer.send(requests("shop"), encode_table(table), key=b"a", headers=((CONTENT_TYPE, ARROW.encode()),))
        self.producer.flush()

    def send_labels(self, numbers: range) -> None:
        for n in numbers:
            body = {"event_id": f"e{n}", "event_time": when(n), "label": late(n), "label_time": when(n)}
            self.producer.send(labels("shop"), msgspec.json.encode(body), key=b"e%d" % n, headers=((CONTENT_TYPE, JSON.encode()),))
        self.producer.flush()

    def close_windows(self, end: int) -> None:
        """Promise that everything before window ``end`` was sent."""
        for topic in (requests("shop"), labels("shop")):
            for partition in range(partitions_of(self.bootstrap, topic)):
                self.producer.send(topic, None, partition=partition, headers=(watermark_header(START + end * HOUR),))
        self.producer.flush()

    def retrain(self) -> RegisteredVersion:
        """The version that comes of it."""
        known = len(self.versions())
        event = RetrainRequested(model="late", reason="manual", detail="test", requested_by="test")
        Publisher(self.producer, source="driftloop/test").publish(RETRAIN_REQUESTS, event, key="late", id=f"request-{known}")
        wait_until(lambda: len(self.versions()) > known and self.champion() == known + 1, f"version {known + 1} to become champion")
        return self.versions()[-1]

    def versions(self) -> list[RegisteredVersion]:
        return list(self.client.model("late").versions)

    def champion(self) -> int | None:
        return self.client.model("late").champion

    def predictor(self) -> dict[str, Any]:
        try:
            return dict(httpx.get(f"{self.info.services['predictor-0']}/status", timeout=PATIENCE_SECONDS).json())
        except (httpx.HTTPError, ValueError):
            return {}

    def lake(self, table: str = "inferences") -> dict[str, dict[str, Any]]:
        """Rows by event id."""
        try:
            return {r["event_id"]: r for r in self.client.dataset("shop", table=table).to_arrow().to_pylist()}
        except (UserError, TransientError):
            return {}

    def rejected(self) -> list[Any]:
        return [read_quarantined(record) for record in read_topic(self.bootstrap, quarantine("shop"))]

    def command(self, *arguments: str) -> Any:
        """What a command prints as JSON."""
        done = CliRunner().invoke(cli, [*arguments, "--json"], env={"DRIFTLOOP_HOME": str(self.info.home)})
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def process(self, *arguments: str) -> Any:
        """The same of a process of its own, as a person starts it: seconds later, for what it imports."""
        command = [sys.executable, "-m", "driftloop.cli", *arguments, "--json"]
        home = {"DRIFTLOOP_HOME": str(self.info.home)}
        done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


AnyShop = TypeVar("AnyShop", bound=Shop)


def when(n: int) -> datetime:
    return START + n * HOUR / IN_A_WINDOW


def late(n: int) -> bool:
    return (n * 7919) % 100 > 55


def row(n: int) -> dict[str, Any]:
    return {"event_id": f"e{n}", "event_time": when(n), "amount": (n * 7919) % 100 + (n % 3) / 2, "kind": f"k{n % 4}"}


@contextmanager
def opened(kind: type[AnyShop], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnyShop]:
    monkeypatch.setenv("DRIFTLOOP_CACHE", str(shared_cache()))
    with LocalStack(folder / "home", free_port_base(), prepare=prepare_stack) as stack:
        made = kind(stack, folder / "project")
        yield made
        if made.producer is not None:
            made.producer.close()
