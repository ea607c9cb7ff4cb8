"""A challenger answers for the rows that the champion answers for, once each, whoever is killed; the champion notices nothing."""

import os
import signal

import httpx
import pytest
from tests.integration.ingest.shadow_world import CHALLENGERS, ShadowWorld, only
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.predictor.samples import fitted, request

from driftloop.artifact.scoring import Scorer

SAME = ["event_id", "event_time", "entity", "partition", "offset", "request_offset", "scored_at"]


@pytest.fixture
def world(kafka_bootstrap, s3, unique, tmp_path):
    made = ShadowWorld(kafka_bootstrap, s3, f"s{unique}", tmp_path)
    yield made
    made.producer.close()


def test_life_of_a_challenger(world):
    with world:
        before = world.traffic()
        world.wait_for("inferences", before)
        assert world.told() == {}, "without a challenger there is no process"

        world.challenge(2)
        wait_until(lambda: world.told().get("pid"), "a process for the challenger")
        ids = world.traffic()
        answered = httpx.post(f"{world.scoring.url}/invocations", json={"instances": [request(9000)]}, timeout=PATIENCE_SECONDS)
        assert answered.status_code == 200
        ids |= {"e9000"}
        shadow, inferences = world.wait_for("shadow", ids), only(world.wait_for("inferences", ids), ids)
        assert shadow.select(SAME).equals(inferences.select(SAME)), "the same rows, by HTTP too, and none of before"
        assert shadow.column("champion_score").equals(inferences.column("score"))
        assert set(shadow.column("champion_model_version").to_pylist()) == {1}
        assert set(zip(shadow["model_version"].to_pylist(), shadow["challenger_epoch"].to_pylist(), strict=True)) == {(2, 1)}
        expected = Scorer(fitted(1, CHALLENGERS), world.project.schema).score(inferences)
        assert shadow.column("score").to_pylist() == expected.score.to_pylist()
        assert shadow.column("prediction").to_pylist() == expected.prediction.to_pylist()

        # killed, with rows in hand and without: each row is there once
        for _ in range(2):
            more = world.traffic()
            pid = world.told()["pid"]
            os.kill(pid, signal.SIGKILL)
            more |= world.traffic()
            ids |= more
            wait_until(lambda pid=pid: world.told().get("pid") not in (None, pid), "another process")
            shadow = world.wait_for("shadow", ids)
        assert sorted(shadow.column("event_id").to_pylist()) == sorted(ids)
        assert world.told()["restarts"] == 2

        # a row that it cannot score has its place, and no answer
        unknown = world.traffic(1, carrier="never fitted")
        row = only(world.wait_for("shadow", unknown), unknown).to_pylist()[0]
        assert (row["prediction"], row["score"], row["model_version"]) == (None, None, 2)
        assert row["champion_score"] is not None
        wait_until(lambda: world.told()["unscored"] == 1, "the unscored row to be counted")

        # nobody any more: the process ends, and rows go on without it
        pid = world.told()["pid"]
        world.challenge(1)
        wait_until(lambda: world.told() == {}, "the challenger to be gone")
        wait_until(lambda: not is_alive(pid), "its process to end")
        without = world.traffic()
        world.wait_for("inferences", without)

        # another one, in mid-stream: it begins with what comes then
        world.challenge(2)
        wait_until(lambda: world.told().get("pid"), "a process for the challenger")
        again = world.traffic()
        shadow = world.wait_for("shadow", again)
        assert not without & set(shadow.column("event_id").to_pylist())
        assert set(only(shadow, again).column("challenger_epoch").to_pylist()) == {3}

        # the champion moves: what was compared with it is over
        world.promote(2)
        wait_until(lambda: world.told() == {}, "the challenger to be gone")


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
