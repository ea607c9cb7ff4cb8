"""Times as features, from the edge to a reproduced model: what JSON, Arrow and HTTP send is stored, learned from, scored, watched."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from tests.e2e.shop import CONFIG, IN_A_WINDOW, START, Shop, late, opened
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import read_topic
from driftloop.contracts.codec import decode_event
from driftloop.contracts.events import DriftReported
from driftloop.contracts.topics import DRIFT_REPORTS
from driftloop.local.readiness import wait_for_services
from driftloop.rows.schemas import TIME, request_schema

FEATURES = """
amount = "number"
kind = "category"
placed = { type = "datetime", parts = ["hour", "weekday"] }
due = { type = "datetime", required = false }
"""
PIPELINE = """
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder


def build():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    days = make_pipeline(FunctionTransformer(np.asarray, kw_args={"dtype": "datetime64[D]"}), encoder)
    return make_pipeline(
        make_column_transformer((encoder, ["kind"]), (days, ["due"]), ("drop", ["amount"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
    )
"""
MONDAY = datetime(2024, 4, 1, tzinfo=START.tzinfo)
EAST = timezone(timedelta(hours=5, minutes=30))


class TimedShop(Shop):
    """Orders are late when they are placed in the afternoon, and nothing else tells."""

    # constants: the three windows that a model of this test is made of calibrate nothing
    config = CONFIG.replace("threads = 1", 'threads = 1\ntrusted_types = ["numpy.asarray"]') + "[monitoring]\nks = 0.2\npsi = 0.25\n"
    pipeline = PIPELINE

    def invoke(self, **placed: object) -> httpx.Response:
        body = {"instances": [{"amount": 1.0, "kind": "k1", **placed}]}
        return httpx.post(f"{self.info.services['predictor-0']}/invocations", json=body, timeout=30)

    def drift(self, window: int) -> dict[str, Any] | None:
        """The features' drift in a window, once it is reported."""
        for record in read_topic(self.bootstrap, DRIFT_REPORTS):
            event, _ = decode_event(record.value, record.headers)
            if isinstance(event, DriftReported) and event.window.start == START + timedelta(hours=window) and event.version is not None:
                return dict(event.features)
        return None


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedShop]:
    with opened(TimedShop, tmp_path, monkeypatch) as made:
        yield made


def placed(n: int) -> datetime | None:
    hour = (12 if late(n) else 0) + n % 12
    return None if n % 29 == 0 else MONDAY + timedelta(days=n % 7, hours=hour, minutes=n % 60, microseconds=n)


def written(n: int) -> str | None:
    """The moment as one of the ways that producers write it."""
    moment = placed(n)
    if moment is None:
        return None
    ways = (moment.isoformat(), moment.astimezone(EAST).isoformat(), moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    return ways[n % 3]


def due(n: int) -> datetime:
    return MONDAY + timedelta(days=7 + n % 3)


@pytest.mark.timeout(1500)
def test_times_travel_from_every_edge_to_a_model_that_is_watched_and_rebuilt(shop: TimedShop) -> None:
    project = shop.register(FEATURES)
    wait_for_services(shop.addresses, PATIENCE_SECONDS, dict)
    by_json, by_arrow = range(2 * IN_A_WINDOW), range(2 * IN_A_WINDOW, 3 * IN_A_WINDOW)
    shop.send_json(by_json, placed=written, due=due)
    shop.send_arrow(by_arrow, request_schema(project.schema), placed=placed, due=due)
    shop.send_labels(range(3 * IN_A_WINDOW))
    shop.close_windows(3)
    wait_until(lambda: len(shop.lake()) == len(shop.lake("labels")) == 3 * IN_A_WINDOW, "the history in the lake")
    rows = shop.lake()
    assert all(rows[f"e{n}"]["placed"] == placed(n) and rows[f"e{n}"]["due"] == due(n) for n in range(3 * IN_A_WINDOW))

    version = shop.retrain()
    wait_until(lambda: shop.predictor().get("champion_version") == 1, "version 1 to score")
    assert shop.invoke(placed="2024-04-02T15:00:00Z", due=None).json()["predictions"] == [True]
    assert shop.invoke(placed="2024-04-02T23:30:00+09:00", due="2024-04-09T00:00:00Z").json()["predictions"] == [True]
    assert shop.invoke(placed="2024-04-02T03:00:00Z").json()["predictions"] == [False]
    refused = shop.invoke(placed="2024-04-02T15:00:00")
    assert refused.status_code == 400
    assert "field 'placed': a time without its offset from UTC: send RFC 3339" in refused.json()["error"]

    nights = range(3 * IN_A_WINDOW, 4 * IN_A_WINDOW)
    shop.send_json(nights, placed=lambda n: MONDAY + timedelta(days=n % 7, hours=n % 3), due=due)
    shop.send_json(range(4 * IN_A_WINDOW, 4 * IN_A_WINDOW + 1), placed=lambda n: "2024-04-02T15:00:00")
    shop.close_windows(5)
    wait_until(lambda: shop.drift(3) is not None, "the drift of the window in which orders came by night only")
    drift = shop.drift(3) or {}
    assert set(drift) == {"amount", "kind", "placed.hour", "placed.weekday", "due"}
    assert (drift["placed.hour"].drifted, drift["placed.weekday"].drifted, drift["due"].drifted) == (True, False, False)
    [naive] = shop.rejected()
    assert "'placed'" in naive.reason

    snapshot = version.pins.snapshot
    assert shop.process("models", "reproduce", "late", "1")["level"] == "bytes"
    changes = shop.command("datasets", "diff", snapshot, "shop/inferences")
    assert changes["features"]["placed.hour"]["psi"] > changes["features"]["placed.weekday"]["psi"]
    for name, read in (
        ("rows.csv", pd.read_csv),
        ("rows.jsonl", lambda path: pd.read_json(path, lines=True)),
        ("rows.parquet", pd.read_parquet),
    ):
        path = shop.folder / name
        shop.command("datasets", "export", "shop", "--snapshot", snapshot, "--columns", "event_id,placed,due", "-o", str(path))
        found = read(path).set_index("event_id")["placed"]
        assert found.isna().sum() == sum(placed(n) is None for n in range(3 * IN_A_WINDOW))
        assert pd.to_datetime(found["e1"], utc=True) == placed(1)
    told = shop.client.dataset("shop", snapshot=snapshot, columns=["event_id", "placed"]).to_arrow()
    assert told.schema.field("placed").type == TIME
    assert {r["event_id"]: r["placed"] for r in told.to_pylist()}["e1"] == placed(1)
