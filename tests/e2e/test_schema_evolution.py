"""A stream's schema grows under running services: two producers at once, the old champion, a new one, and what is refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import pyarrow as pa
import pytest
from tests.support.ports import free_port_base
from tests.support.servers import shared_cache
from tests.support.waiting import PATIENCE_SECONDS, wait_until

import driftloop
from driftloop.adapters.kafka import Producer, Publisher, partitions_of, read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.artifact.model_files import load_manifest
from driftloop.client.models import RegisteredVersion
from driftloop.client.registration import register_project
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.headers import ARROW, CONTENT_TYPE, JSON, watermark_header
from driftloop.contracts.topics import RETRAIN_REQUESTS, labels, quarantine, requests
from driftloop.errors import TransientError, UserError
from driftloop.installation import installation_of
from driftloop.local.prepare import prepare_stack
from driftloop.local.readiness import wait_for_services
from driftloop.local.stack import LocalStack
from driftloop.project.model import Project
from driftloop.rows.arrow_stream import encode_table
from driftloop.rows.schemas import request_schema
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
GROWN = FIRST + '\nextra = { type = "number", required = false }'


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


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    with opened(Shop, tmp_path, monkeypatch) as made:
        yield made


@pytest.mark.timeout(1500)
def test_a_schema_grows_while_two_producers_and_the_old_champion_go_on(shop: Shop) -> None:
    first = shop.register(FIRST)
    wait_for_services(shop.addresses, PATIENCE_SECONDS, dict)
    history = range(3 * IN_A_WINDOW)
    shop.send_json(history)
    shop.send_labels(history)
    shop.close_windows(3)
    wait_until(lambda: len(shop.lake()) == len(shop.lake("labels")) == len(history), "the history in the lake")
    shop.retrain()
    wait_until(lambda: shop.predictor().get("champion_version") == 1, "version 1 to score")

    grown = shop.register(GROWN)
    wait_until(lambda: shop.predictor().get("project_archive") == grown.digest(), "the predictor to know the new feature")
    wait_until(lambda: shop.predictor().get("champion_version") == 1, "the old champion to score on")
    old, new, old_arrow, new_arrow, ahead = (range(600 + 40 * i, 640 + 40 * i) for i in range(5))
    shop.send_json(old)
    shop.send_json(new, extra=float)
    shop.send_arrow(old_arrow, request_schema(first.schema))
    shop.send_arrow(new_arrow, request_schema(grown.schema), extra=float)
    unknown = pa.schema([*request_schema(grown.schema), pa.field("later", pa.string())])
    shop.send_arrow(ahead, unknown, extra=float, later=str)
    shop.send_labels(range(600, 800))
    shop.close_windows(4)
    wait_until(lambda: len(shop.lake()) == len(shop.lake("labels")) == 800, "the rows of both producers")
    rows = shop.lake()
    assert {n for n in range(800) if rows[f"e{n}"]["extra"] is not None} == {*new, *new_arrow, *ahead}
    assert all(rows[f"e{n}"]["extra"] == n for n in new)
    assert all(rows[f"e{n}"]["model_version"] == 1 and rows[f"e{n}"]["score"] is not None for n in range(600, 800))
    assert shop.rejected() == []

    second = shop.retrain()  # it is compared with the champion on the features that that one knows
    manifest = load_manifest(MinioObjectStore(shop.info.s3), "late", second.manifest)
    assert manifest.schema_fingerprint == grown.schema.fingerprint() != first.schema.fingerprint()
    assert manifest.measurements is not None
    assert manifest.measurements.champion_version == 1
    assert manifest.rows > 600
    snapshot = shop.client.dataset("shop", snapshot=second.pins.snapshot, labelled_only=True).to_arrow()
    assert snapshot.column("extra").null_count == 800 - 3 * 40

    for features, said in (
        ('amount = "number"\nextra = { type = "number", required = false }', "'kind' was removed"),
        (GROWN.replace('kind = "category"', 'kind = "number"'), "'kind' was a category and became a number"),
        (GROWN + '\nmore = "number"', "'more' is new and required"),
        (GROWN.replace("required = false", "required = true"), "'extra' was optional and became required"),
    ):
        with pytest.raises(UserError, match=f"{said}.*version = 2"):
            shop.register(features)

    declared = shop.register('amount = "number"\nextra = { type = "category", required = false }', version=2)
    wait_until(lambda: shop.predictor().get("project_archive") == declared.digest(), "the predictor to know version 2 of the stream")
    shop.send_json(range(800, 840), extra=str)
    shop.send_json(range(840, 841), extra=float)
    wait_until(
        lambda: len(shop.lake()) == 840 and len(shop.rejected()) == 1, "the rows of version 2, and the one of an old producer in quarantine"
    )
    rows = shop.lake()
    assert [rows[f"e{n}"]["extra__category"] for n in range(800, 840)] == [str(n) for n in range(800, 840)]
    assert all(rows[f"e{n}"]["kind"] is None and rows[f"e{n}"]["extra"] is None for n in range(800, 840))
    assert [rows[f"e{n}"]["extra"] for n in new] == [float(n) for n in new]
    [refused] = shop.rejected()
    assert "'extra'" in refused.reason
    assert all(rows[f"e{n}"]["score"] is None for n in range(800, 840))  # no model knows the feature in this type: recorded all the same
