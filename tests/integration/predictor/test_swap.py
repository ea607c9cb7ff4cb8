"""I12: answers go on, and name the champion of their time, through swaps, bad models and outages."""

import itertools
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from tests.integration.predictor.harness import Predictor, World, eventually
from tests.support.servers import kafka_server, s3_server
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.predictor.samples import request, sample_project, store_sample_model

from driftloop.artifact.model_files import MODEL, model_key
from driftloop.training.parity import scoring_environment

SWAPS = 60  # at least; it goes on until there were enough answers
ANSWERS = 400
TAKE_UP_SECONDS = 5.0  # a busy test machine; the bench measures how long it really takes


class Callers:
    """200 requests a second from four clients; keeps every answer with the time before and after it."""

    def __init__(self, url: str, per_second: int = 200, clients: int = 4) -> None:
        self._url, self._gap, self._stop = url, clients / per_second, threading.Event()
        self.answers: list[tuple[float, float, int, dict[str, object]]] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self) -> None:
        body = {"instances": [request(1, event_id=None)]}
        with httpx.Client(base_url=self._url, timeout=PATIENCE_SECONDS) as client:
            while not self._stop.is_set():
                before = time.monotonic()
                answer = client.post("/invocations", json=body)
                after = time.monotonic()
                self.answers.append((before, after, answer.status_code, answer.json()))
                time.sleep(max(0.0, self._gap - (after - before)))

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def add_models(stream: World, seeds: int) -> list[str]:
    manifests = [store_sample_model(stream.store, stream.project, seed) for seed in range(seeds)]
    for manifest in manifests:
        stream.add_version(manifest)
    return manifests


def serving(predictor: Predictor, version: int) -> bool:
    return predictor.status()["champion_version"] == version


def test_alias_moved_every_100_ms_under_load_with_a_bad_model_among_them(stream: World) -> None:
    manifests = add_models(stream, 3)
    stream.store.put(model_key(stream.name, manifests[2], MODEL), b"not the bytes that were named")
    moves: list[tuple[float, int]] = [(time.monotonic(), 1)]
    stream.promote(1)
    with stream.predictor() as predictor:
        eventually("version 1", lambda: serving(predictor, 1))
        with Callers(predictor.url) as callers:
            for n in itertools.count():
                if n >= SWAPS and len(callers.answers) >= ANSWERS:
                    break
                version = 3 if n == SWAPS // 2 else 2 - n % 2
                if version != 3:  # the bad one answers nobody: the one before it goes on
                    moves.append((time.monotonic(), version))
                stream.promote(version)
                if version == 3:  # of champions that follow each other this fast a busy predictor may pass one over
                    eventually("the bad model", lambda: predictor.status()["bad_models"] == 1)
                time.sleep(0.1)
            eventually("the last move", lambda: predictor.status()["alias_epoch"] == stream.epoch)
        assert predictor.status()["bad_models"] == 1
    assert {code for _, _, code, _ in callers.answers} == {200}
    assert {body["version"] for _, _, _, body in callers.answers} == {1, 2}
    for before, after, _, body in callers.answers:
        targets = {
            v
            for (at, v), (until, _) in zip(moves, [*moves[1:], (after, 0)], strict=True)
            if at <= after and until >= before - TAKE_UP_SECONDS
        }
        assert body["version"] in targets
        assert body["digest"] == manifests[int(str(body["version"])) - 1]


def test_a_bad_champion_leaves_the_last_good_one_in_service(stream: World) -> None:
    manifests = add_models(stream, 2)
    stream.store.delete(model_key(stream.name, manifests[1], MODEL))
    stream.promote(1)
    with stream.predictor() as predictor:
        eventually("version 1", lambda: serving(predictor, 1))
        stream.promote(2)
        eventually("the refusal", lambda: predictor.status()["bad_models"] == 1)
        status = predictor.status()
        assert (status["champion_version"], status["alias_epoch"]) == (1, 1)
        assert "model.skops is missing" in status["last_error"]
        assert predictor.http.post("/invocations", json={"instances": [request(1)]}).json()["version"] == 1

        stream.promote(1)
        eventually("the way back", lambda: predictor.status()["alias_epoch"] == 3)
        assert serving(predictor, 1)


def test_a_champion_of_another_environment_is_refused_where_the_project_says_so(stream: World) -> None:
    stream.project = sample_project(stream.name, environment="refuse")
    stream.register(stream.project)
    here = scoring_environment()
    other = here | {"packages": here["packages"] | {"scikit-learn": "0.1"}}
    for seed, environment in enumerate((here, other)):
        stream.add_version(store_sample_model(stream.store, stream.project, seed, environment))
    stream.promote(1)
    with stream.predictor() as predictor:
        eventually("version 1", lambda: serving(predictor, 1))
        assert predictor.status()["environment"]["same"]
        stream.promote(2)
        eventually("the refusal", lambda: predictor.status()["bad_models"] == 1)
        status = predictor.status()
        assert (status["champion_version"], status["environment"]["same"], status["environment"]["setting"]) == (1, False, "refuse")
        assert "scikit-learn 0.1 in training" in status["last_error"]
        assert predictor.http.post("/invocations", json={"instances": [request(1)]}).json()["version"] == 1
        assert "driftloop_environment_differences" in predictor.http.get("/metrics").text

        stream.promote(1)
        eventually("the way back", lambda: predictor.status()["alias_epoch"] == 3)
        assert predictor.status()["environment"]["same"]


def test_answers_go_on_without_broker_and_store_also_after_a_start_from_disk(tmp_path: Path, unique: str) -> None:
    with ExitStack() as outage:
        with ExitStack() as up:
            bootstrap, access = up.enter_context(kafka_server()), up.enter_context(s3_server())
            stream = World(bootstrap, access, f"p{unique}", tmp_path)
            add_models(stream, 1)
            stream.promote(1)
            predictor = outage.enter_context(stream.predictor())
            eventually("version 1", lambda: predictor.http.get("/ping").status_code == 200)
            before = predictor.http.post("/invocations", json={"instances": [request(1)]}).json()
            stream.producer.close()

        assert predictor.http.post("/invocations", json={"instances": [request(1)]}).json() == before
        assert predictor.http.get("/readyz").status_code == 200
        refused = predictor.http.post("/invocations?durable=1", json={"instances": [request(2)]})
        assert refused.status_code == 503
        assert "same event ids" in refused.json()["error"]

        predictor.kill()
        predictor.start()
        eventually("version 1 from disk", lambda: predictor.http.get("/ping").status_code == 200)
        assert predictor.http.post("/invocations", json={"instances": [request(1)]}).json() == before
        assert "broker" in eventually("the outage to show", lambda: predictor.status()["last_error"])


def test_a_new_archive_of_the_project_drains_and_ends_with_75(stream: World) -> None:
    with stream.predictor() as predictor:
        stream.register(sample_project(stream.name, comment="# second"))
        assert predictor.wait() == 75
        predictor.start()
        assert predictor.status()["project_archive"] == sample_project(stream.name, comment="# second").digest()
