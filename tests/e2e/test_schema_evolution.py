"""A stream's schema grows under running services: two producers at once, the old champion, a new one, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.e2e.shop import FIRST, IN_A_WINDOW, Shop, opened
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.artifact.model_files import load_manifest
from driftloop.errors import UserError
from driftloop.local.readiness import wait_for_services
from driftloop.rows.schemas import request_schema

GROWN = FIRST + '\nextra = { type = "number", required = false }'


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
