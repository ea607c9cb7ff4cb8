"""A recalibration in the log corrects stream and HTTP answers, is named in every row, and stays through a start without broker or store."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.integration.predictor.harness import World, eventually
from tests.integration.predictor.test_swap import add_models
from tests.support.servers import kafka_server, s3_server
from tests.unit.predictor.samples import request, request_json

from driftloop.contracts.recalibration import Recalibration

LOGIT = Recalibration(kind="logit", strength=1.0, intercept=1.5, slope=0.5)


def test_it_is_taken_up_recorded_ended_by_a_promotion_and_kept_through_an_outage(tmp_path: Path, unique: str) -> None:
    with ExitStack() as outage:
        with ExitStack() as up:
            bootstrap, access = up.enter_context(kafka_server()), up.enter_context(s3_server())
            stream = World(bootstrap, access, f"p{unique}", tmp_path)
            add_models(stream, 2)
            stream.promote(1)
            predictor = outage.enter_context(stream.predictor())
            body = {"instances": [request(1)]}

            def answer() -> dict[str, object]:
                return dict(predictor.http.post("/invocations", json=body).json())

            eventually("version 1", lambda: predictor.http.get("/ping").status_code == 200)
            plain = answer()
            assert plain["recalibration_epoch"] is None

            stream.recalibrate(LOGIT, version=1)
            eventually("the correction", lambda: predictor.status()["recalibration_epoch"] == 1)
            corrected = answer()
            raw = plain["scores"][0]  # type: ignore[index]
            odds = 2.718281828459045**1.5 * (raw / (1 - raw)) ** 0.5
            assert corrected["scores"] == pytest.approx([odds / (1 + odds)])
            assert (corrected["version"], corrected["recalibration_epoch"]) == (1, 1)
            assert predictor.status()["recalibration"]["intercept"] == 1.5
            assert f'driftloop_recalibration_epoch{{model="{stream.name}"}} 1.0' in predictor.http.get("/metrics").text
            assert predictor.log.read_text().count("model-loaded") == 1  # not loaded anew

            stream.send([request_json(n) for n in range(40)])
            eventually("the rows", lambda: stream.account().rows.num_rows >= 40)
            rows = [row for row in stream.account().rows.to_pylist() if row["request_offset"] is not None]
            assert {(row["model_version"], row["recalibration_epoch"]) for row in rows} == {(1, 1)}

            stream.promote(2)
            eventually("version 2", lambda: predictor.status()["champion_version"] == 2)
            assert answer()["recalibration_epoch"] is None
            stream.recalibrate(LOGIT, version=2)
            eventually("its correction", lambda: predictor.status()["recalibration_epoch"] == 2)
            before = answer()
            stream.producer.close()

        assert answer() == before
        predictor.kill()
        predictor.start()
        eventually("version 2 from disk", lambda: predictor.http.get("/ping").status_code == 200)
        assert answer() == before
        assert before["recalibration_epoch"] == 2
