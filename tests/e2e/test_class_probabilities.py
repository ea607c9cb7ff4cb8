"""A target of several classes from the edge to the gate: its probabilities are answered, recorded, measured live and decided by."""

import csv
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from tests.e2e.shop import CONFIG, FIRST, IN_A_WINDOW, START, Shop, opened, when
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import read_topic
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.artifact.model_files import load_manifest
from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.headers import CONTENT_TYPE, JSON
from driftloop.contracts.topics import inferences, labels
from driftloop.local.readiness import wait_for_services
from driftloop.rows.inferences import InferenceDecoder
from driftloop.rows.schemas import CLASS_PROBABILITIES, request_schema

CLASSES = ["apple", "pear", "plum"]
HISTORY, LIVE = range(3 * IN_A_WINDOW), range(3 * IN_A_WINDOW, 4 * IN_A_WINDOW)


class FruitShop(Shop):
    """What is bought follows amount and kind, with some chance."""

    config = CONFIG.replace('type = "boolean"\nmetric = "roc_auc"', 'type = "category"\nmetric = "log_loss"')

    def send_labels(self, numbers: range) -> None:
        for n in numbers:
            body = {"event_id": f"e{n}", "event_time": when(n), "label": bought(n), "label_time": when(n)}
            self.producer.send(labels("shop"), msgspec.json.encode(body), key=b"e%d" % n, headers=((CONTENT_TYPE, JSON.encode()),))
        self.producer.flush()

    def performance(self, window: int, version: int, metric: str) -> PerformanceReported | None:
        """The newest report on a version's rows of a window, by that metric."""
        told = [found.event for found in self.client.performance("late")]
        start = START + window * timedelta(hours=1)
        of = [report for report in told if (report.window.start, report.version, report.metric) == (start, version, metric)]
        return max(of, key=lambda report: report.revision, default=None)

    def measured(self, version: int, metric: str) -> PerformanceReported:
        """Once all rows of the live window and their labels are in it."""

        def complete() -> bool:
            report = self.performance(3, version, metric)
            return report is not None and report.labelled == len(LIVE)

        wait_until(complete, f"{metric} of version {version} on the live window")
        report = self.performance(3, version, metric)
        assert report is not None
        return report


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FruitShop]:
    with opened(FruitShop, tmp_path, monkeypatch) as made:
        yield made


def bought(n: int) -> str:
    return CLASSES[((n * 7919) % 100 // 25 + (n * 104729 % 10 < 3)) % 3]


@pytest.mark.timeout(1800)
def test_class_probabilities_travel_from_the_model_to_the_report_and_the_gate(shop: FruitShop) -> None:
    project = shop.register(FIRST)
    wait_for_services(shop.addresses, PATIENCE_SECONDS, dict)
    shop.send_json(HISTORY)
    shop.send_labels(HISTORY)
    shop.close_windows(3)
    wait_until(lambda: len(shop.lake()) == len(shop.lake("labels")) == len(HISTORY), "the history in the lake")
    shop.retrain()
    wait_until(lambda: shop.predictor().get("champion_version") == 1, "version 1 to score")

    time = when(LIVE[0]).isoformat()
    body = {"instances": [{"event_time": time, "amount": 1.0, "kind": "k1"}, {"event_time": time, "amount": 60.0, "kind": "k2"}]}
    answer = httpx.post(f"{shop.info.services['predictor-0']}/invocations", json=body, timeout=30).json()
    assert [list(of_row) for of_row in answer["probabilities"]] == [CLASSES, CLASSES]
    assert [of_row[said] for of_row, said in zip(answer["probabilities"], answer["predictions"], strict=True)] == answer["scores"]

    half = len(LIVE) // 2
    shop.send_json(LIVE[:half])
    shop.send_arrow(LIVE[half:], request_schema(project.schema))
    shop.send_labels(LIVE)
    shop.close_windows(4)
    wait_until(lambda: shop.lake().keys() >= {f"e{n}" for n in LIVE}, "the live rows in the lake")
    stored = {
        row["event_id"]: row for row in shop.client.dataset("shop", table="inferences").to_arrow().to_pylist(maps_as_pydicts="strict")
    }
    assert all(stored[f"e{n}"]["probabilities"] is None for n in HISTORY)  # there was no model yet
    said = {f"e{n}": stored[f"e{n}"]["probabilities"] for n in LIVE}
    assert all(list(of_row) == CLASSES and sum(of_row.values()) == pytest.approx(1) for of_row in said.values())
    assert all(stored[name]["score"] == max(of_row.values()) == of_row[stored[name]["prediction"]] for name, of_row in said.items())
    assert on_the_topic(shop, project.schema) == said

    truth, matrix = [bought(n) for n in LIVE], np.array([[said[f"e{n}"][name] for name in CLASSES] for n in LIVE])
    report = shop.measured(1, "log_loss")
    assert report.measured is not None
    assert report.measured.value == pytest.approx(log_loss(truth, matrix, labels=CLASSES), rel=1e-9)
    assert report.measured.lower < report.measured.value < report.measured.upper
    assert report.measured_rows == len(LIVE)

    second = shop.retrain()
    measurements = load_manifest(MinioObjectStore(shop.info.s3), "late", second.manifest).measurements
    assert measurements is not None
    assert (measurements.metric, measurements.champion_version) == ("log_loss", 1)
    assert measurements.champion == pytest.approx(report.measured.value, rel=1e-9)  # as live: the same rows, the same model
    assert measurements.gain == pytest.approx(measurements.champion - measurements.candidate)
    for number in ("1", "2"):
        assert shop.process("models", "reproduce", "late", number)["level"] == "bytes"

    traced = shop.command("trace", f"e{LIVE[0]}")
    assert traced["prediction"]["probabilities"] == said[f"e{LIVE[0]}"]
    exported = shop.folder / "rows.csv"
    shop.command("datasets", "export", "shop", "--columns", "event_id,probabilities", "-o", str(exported))
    with exported.open() as file:
        cells = {row["event_id"]: row["probabilities"] for row in csv.DictReader(file)}
    assert {name: json.loads(cells[name]) for name in said} == said
    assert shop.command("datasets", "diff", second.pins.snapshot, "shop/inferences")["rows"]["changed"] == 0

    shop.command("lake", "compact", "shop")
    pinned = shop.client.dataset("shop", snapshot=second.pins.snapshot, columns=["event_id", "probabilities"]).to_arrow()
    assert {r["event_id"]: r["probabilities"] for r in pinned.to_pylist(maps_as_pydicts="strict") if r["event_id"] in said} == said

    shop.config = shop.config.replace("log_loss", "roc_auc")
    other = shop.register(FIRST)
    wait_until(lambda: shop.predictor().get("project_archive") == other.digest(), "the services to measure by another metric")
    report = shop.measured(1, "roc_auc")
    assert report.measured is not None
    assert report.measured.value == pytest.approx(roc_auc_score(truth, matrix, multi_class="ovr", average="macro"), rel=1e-9)
    assert shop.rejected() == []


def on_the_topic(shop: FruitShop, schema: Any) -> dict[str, dict[str, float]]:
    """Class probabilities of the live rows, as the messages carry them."""
    decoder = InferenceDecoder(schema)
    found = {}
    for record in read_topic(shop.bootstrap, inferences("shop")):
        rows = decoder.decode(record).rows
        if rows is not None and rows.num_rows:
            assert rows.schema.field("probabilities").equals(CLASS_PROBABILITIES)
            found |= dict(
                zip(rows.column("event_id").to_pylist(), rows.column("probabilities").to_pylist(maps_as_pydicts="strict"), strict=True)
            )
    return {f"e{n}": found[f"e{n}"] for n in LIVE}
