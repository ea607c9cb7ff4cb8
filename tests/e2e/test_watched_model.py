"""A model that is served elsewhere: watched, compared with a chosen stretch, trained against, taken over, and given back."""

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from sklearn.metrics import roc_auc_score
from tests.e2e.shop import CONFIG, FIRST, IN_A_WINDOW, Shop, late, opened, row
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import Publisher
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.headers import CONTENT_TYPE, JSON
from driftloop.contracts.topics import RETRAIN_REQUESTS, requests
from driftloop.errors import UserError

THEIRS = """
[answers]
prediction = "answer.late"
score = "answer.p"
version = "model"
[monitoring]
false_alarms = "1 per 4h"
"""


class Watched(Shop):
    config = CONFIG.replace('model = "late"\n', 'model = "late"\nserved_by = "elsewhere"\n') + THEIRS

    def answered(self, numbers: range, by: str, **more: Any) -> None:
        """What the application publishes of each request that another system has answered."""
        for n in numbers:
            p = 0.9 if late(n) == (n % 5 != 0) else 0.1  # right about four rows in five
            body = row(n) | {"model": by, "answer": {"late": p >= 0.5, "p": p}} | {name: value(n) for name, value in more.items()}
            self.producer.send(requests("shop"), msgspec.json.encode(body), key=b"k%d" % n, headers=((CONTENT_TYPE, JSON.encode()),))
        self.producer.flush()

    @property
    def invocations(self) -> str:
        return f"{self.info.services['predictor-0']}/invocations"


ASKED = {"dataframe_records": [{"amount": 3.0, "kind": "k1"}]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as monkeypatch, opened(Watched, tmp_path_factory.mktemp("watched"), monkeypatch) as made:
        made.register(FIRST)
        yield made


def windows(first: int, end: int) -> range:
    return range(first * IN_A_WINDOW, end * IN_A_WINDOW)


def test_their_answers_are_watched_and_taken_over(shop: Watched) -> None:
    shop.answered(windows(0, 6), "their-7")
    shop.send_json(range(10_000, 10_002))  # nobody has answered these
    shop.send_labels(windows(0, 6))
    shop.close_windows(6)
    wait_until(lambda: len(shop.lake()) == 6 * IN_A_WINDOW, "the answers to be in the lake")
    wait_until(lambda: len(shop.lake("labels")) == 6 * IN_A_WINDOW, "the labels to be in the lake")
    stored = shop.lake()["e7"]
    assert (stored["model_version"], stored["prediction"], stored["score"]) == (1, *([True, 0.9] if late(7) else [False, 0.1]))
    wait_until(lambda: len(shop.rejected()) == 2, "the requests without an answer to be rejected")
    assert "the answer is missing: no field 'answer.late' or 'answer.p'" in shop.rejected()[0].reason

    found = shop.command("models", "watch", "late", "--reference", "2024-03-01..2024-03-01T06:00", "--reason", "a good week")
    assert (found["version"], found["served_as"], found["rows"], found["labelled"]) == (2, "their-7", 1200, 1200)
    shop.answered(windows(6, 8), "their-7")
    shop.answered(windows(8, 9), "their-7", amount=lambda n: 500.0 + n % 7)
    shop.send_labels(windows(6, 9))
    shop.close_windows(9)
    wait_until(lambda: len(drifts(shop)) >= 3, "drift reports on three windows")
    assert [report.verdict for report in drifts(shop)] == ["calm", "calm", "drifted"]
    wait_until(lambda: len(shop.client.decisions("late")) >= 9, "a decision on each window")
    measured = [told.event for told in shop.client.performance("late") if told.event.version == 2]
    assert all(0.7 < report.measured.value < 0.9 for report in measured)
    assert all(report.loss is not None for report in measured)

    backtest_beside_their_answers(shop)
    waiting = trained(shop)
    judged = waiting["evidence"]["measurements"]
    rows = [shop.lake()[f"e{n}"] | {"label": late(n)} for n in windows(8, 9)]
    assert judged["champion"] == pytest.approx(roc_auc_score([r["label"] for r in rows], [r["score"] for r in rows]))
    assert (judged["champion_version"], judged["rows"]) == (2, IN_A_WINDOW)
    assert "waiting for approval by a person" in waiting["reason"]
    assert httpx.post(shop.invocations, json=ASKED, timeout=PATIENCE_SECONDS).status_code == 503

    assert shop.command("models", "takeover", "late", "--reason", "it is better")["version"] == 3
    wait_until(lambda: shop.predictor().get("champion_version") == 3, "the predictor to answer itself")
    shop.send_json(windows(9, 10))
    wait_until(lambda: len(shop.lake()) == 10 * IN_A_WINDOW, "rows that our version answered to be in the lake")
    ours = shop.lake()[f"e{9 * IN_A_WINDOW}"]
    assert (ours["model_version"], ours["score"] is None) == (3, False)
    assert httpx.post(shop.invocations, json=ASKED, timeout=PATIENCE_SECONDS).json()["version"] == 3  # and one row more

    assert shop.command("models", "rollback", "late", "--reason", "not yet")["version"] == 2
    wait_until(lambda: shop.predictor().get("watching") == {"their-7": 2}, "the other system to answer again")
    shop.answered(windows(10, 11), "their-8")
    wait_until(lambda: len(shop.lake()) == 11 * IN_A_WINDOW + 1, "rows that the other system answered again to be in the lake")
    assert shop.lake()[f"e{10 * IN_A_WINDOW}"]["model_version"] == 4

    shown = shop.command("models", "show", "late", "2")
    assert [(link["link"], link["ok"]) for link in shown["links"]] == [("model version", True), ("reference", True)]
    assert "their-7; no artifact: it cannot be rebuilt here" in shown["links"][0]["what"]
    traced = shop.client.trace("e7", stream="shop")
    assert (traced.ok, traced.version) == (True, 1)
    assert "reference" in [link.link for link in traced.links]
    with pytest.raises(UserError, match="version 2 of late is served elsewhere, and there is no artifact"):
        shop.client.reproduce("late", 2)


def backtest_beside_their_answers(shop: Watched) -> None:
    picture = shop.folder / "backtest.svg"
    report = shop.command("backtest", str(shop.folder), "--picture", str(picture))
    rows = [shop.lake()[f"e{n}"] | {"label": late(n)} for n in windows(8, 9)]
    assert report["served"]["scores"][-1] == pytest.approx(roc_auc_score([r["label"] for r in rows], [r["score"] for r in rows]))
    assert len(report["served"]["scores"]) == len(report["policies"][0]["scores"]) == 7
    assert "served elsewhere" in picture.read_text()


def trained(shop: Watched) -> Any:
    """What the gate said of a version that was asked for."""
    event = RetrainRequested(model="late", reason="manual", detail="test", requested_by="test")
    Publisher(shop.producer, source="driftloop/test").publish(RETRAIN_REQUESTS, event, key="late", id="r1")

    def said() -> list[Any]:
        return [told.event for told in shop.client.decisions("late") if told.event.kind == "promote"]

    wait_until(lambda: said(), "the gate to decide")
    return msgspec.to_builtins(said()[-1])


def drifts(shop: Watched) -> list[Any]:
    return [told.event for told in shop.client.drift("late") if told.event.version == 2]
