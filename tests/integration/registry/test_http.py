"""The registry's HTTP contract, on a real broker and a real store."""

import hashlib
import io
import os
import socket
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.integration.registry.registry_process import make_world, registry
from tests.support.sample_project import sample_project
from tests.support.traffic import small_schema
from tests.unit.registry.commands import digest, measured

from driftloop.project.model import CONFIG_FILE
from driftloop.project.reading import parse_project


@pytest.fixture(scope="module")
def shared(kafka_bootstrap, s3, tmp_path_factory):
    """One registry for all tests here; each has its own model."""
    world = make_world(kafka_bootstrap, s3, "unused")
    with registry(world, tmp_path_factory.mktemp("registry")) as running:
        yield world, running


@pytest.fixture
def model(shared, unique):
    """A registered project, without versions."""
    world, running = shared
    mine = world._replace(model=f"m-{unique}")
    response = running.client.post("/projects", json=mine.project_body())
    assert response.status_code == 201, response.text
    return mine, running


@pytest.fixture
def two_versions(model):
    """Version 1 is champion at epoch 1; version 2 did not pass the gate."""
    world, running = model
    world.train(f"{world.model}-r1")
    assert world.decision(f"{world.model}-r1").accepted
    world.train(f"{world.model}-r2", epoch=1, measured=measured(against=1, gain_lower=-0.1))
    assert not world.decision(f"{world.model}-r2").accepted
    return world, running


def move(running, model, version, epoch, alias="champion", **headers):
    body = {"version": version, "expected_epoch": epoch, "reason": "a test", "actor": "a person"}
    return running.client.post(f"/models/{model}/aliases/{alias}", json=body, headers=headers)


def test_a_write_is_seen_by_the_next_read(model):
    world, running = model

    shown = running.get(f"/models/{world.model}")

    assert shown["project"]["archive"] == world.project_body()["archive"]
    assert shown["versions"] == []
    assert world.model in [listed["model"] for listed in running.get("/models")]


def test_same_project_again_is_accepted(model):
    world, running = model

    assert running.client.post("/projects", json=world.project_body()).status_code == 201


def test_project_whose_archive_is_not_stored_is_refused(model):
    world, running = model

    response = running.client.post("/projects", json=world.project_body(archive=digest("nowhere")))

    assert response.status_code == 422
    assert response.json()["field"] == "archive"


def test_archive_that_is_no_project_or_another_one_is_refused(model):
    world, running = model
    data = b"PK no archive"
    archive = hashlib.sha256(data).hexdigest()
    world.store.put(f"projects/{world.model}/{archive}.zip", data)

    no_project = running.client.post("/projects", json=world.project_body(archive=archive))
    another = running.client.post("/projects", json=world.project_body(schema_fingerprint=digest("other")))

    assert [r.status_code for r in (no_project, another)] == [422, 422]
    assert "no project's archive" in no_project.json()["error"]
    assert "with the schema" in another.json()["error"]


def test_archive_that_something_else_has_zipped_is_refused_with_the_way_out(model):
    """Services would find that the project they run is not the one that is registered, and start again for ever."""
    world, running = model
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(world.project().files, reverse=True):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), world.project().files[name])
    digest = hashlib.sha256(out.getvalue()).hexdigest()
    world.store.put(f"projects/{world.model}/{digest}.zip", out.getvalue())

    response = running.client.post("/projects", json=world.project_body(archive=digest))

    assert (response.status_code, response.json()["field"]) == (422, "archive")
    assert f"driftloop's archive of its files is {world.project().digest()}" in response.json()["error"]
    assert running.get(f"/models/{world.model}")["project"]["archive"] == world.project().digest()


def test_a_second_model_under_a_projects_name_is_refused(model, unique):
    """Services find their project by its name: two of one name, and they would take the one or the other."""
    world, running = model
    other = f"o-{unique}"
    config = sample_project(small_schema(other)).files[CONFIG_FILE].decode()
    files = world.project().files | {CONFIG_FILE: config.replace(f'name = "{other}"', f'name = "{world.model}"', 1).encode()}
    another = parse_project(files, where="another")
    assert (another.name, another.model, another.stream) == (world.model, other, other)

    response = running.client.post("/projects", json=world.project_body(another, stream=other, model=other))

    assert (response.status_code, response.json()["field"]) == (409, "project")
    assert f"has the model '{world.model}' already" in response.json()["error"]
    assert other not in [listed["model"] for listed in running.get("/models")]


def test_gates_rules_are_those_of_the_archive(model):
    world, running = model

    said = running.get(f"/models/{world.model}")["project"]["promotion"]

    assert said == {"tolerance": 0.0, "min_rows": 100, "approval": "automatic", "promotion_worth": 0.01, "max_churn": None}


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"tolerance": -1e9, "min_rows": 0, "approval": "automatic"}, "promotion.tolerance"),
        ({"min_rows": 0}, "promotion.min_rows"),
        ({"approval": "person"}, "promotion.approval"),
    ],
)
def test_caller_who_says_other_rules_than_the_archive_is_refused(model, rules, field):
    world, running = model
    before = running.get("/models")

    response = running.client.post("/projects", json=world.project_body(promotion=rules))

    assert (response.status_code, response.json()["field"]) == (422, field)
    assert "change [promotion] in driftloop.toml" in response.json()["error"]
    assert running.get("/models") == before


def test_caller_who_says_what_the_archive_says_is_heard_as_before(model):
    world, running = model
    rules = {"tolerance": 0.0, "min_rows": 100, "approval": "automatic"}

    said = world.project_body(promotion=rules, schema_fingerprint=world.project().schema.fingerprint())

    assert running.client.post("/projects", json=said).status_code == 201


def test_project_that_breaks_its_streams_schema_is_refused_with_the_way_out(model):
    world, running = model
    schema = small_schema(world.model)

    def registered(features, version=1):
        project = sample_project(msgspec.structs.replace(schema, features=features, version=version))
        return running.client.post("/projects", json=world.project_body(project))

    refused, declared = registered(schema.features[1:]), registered(schema.features[1:], version=2)

    assert refused.status_code == 409
    assert "feature 'amount' was removed" in refused.json()["reason"]
    assert "version = 2" in refused.json()["reason"]
    assert declared.status_code == 201
    assert registered(schema.features, version=1).status_code == 409


def test_completed_training_becomes_a_version_and_champion(two_versions):
    world, running = two_versions

    alias = running.get(f"/models/{world.model}/aliases/champion")
    version = running.get(f"/models/{world.model}/versions/1")

    assert (alias["version"], alias["epoch"]) == (1, 1)
    assert alias["manifest"] == version["manifest"] == world.store_model(f"{world.model}-r1")
    assert len(running.get(f"/models/{world.model}")["versions"]) == 2


def test_decision_carries_measurements_outcome_and_rule(two_versions):
    world, _ = two_versions

    decision = world.decision(f"{world.model}-r2")

    assert decision.kind == "promote"
    assert decision.evidence["measurements"]["gain_lower"] == -0.1
    assert decision.evidence["outcome"]["epoch"] == 1
    assert decision.evidence["version"] == 2
    assert len(decision.rule) == 64


def test_person_moves_an_alias_forth_and_back(two_versions):
    world, running = two_versions
    before = datetime.now(UTC)

    forth, back = move(running, world.model, 2, 1), move(running, world.model, 1, 2)

    assert (forth.status_code, forth.json()["epoch"]) == (200, 2)
    assert (back.status_code, back.json()["epoch"]) == (200, 3)
    at = running.get(f"/models/{world.model}/at", time=before.isoformat())
    assert (at["version"], at["epoch"]) == (1, 1)
    early = running.client.get(f"/models/{world.model}/at", params={"time": (before - timedelta(days=9)).isoformat()})
    assert early.status_code == 404
    history = running.get(f"/models/{world.model}/history")
    assert [entry["moved"]["epoch"] for entry in history if entry["moved"]] == [1, 2, 3]


def test_move_from_an_old_epoch_is_refused_with_the_current_one(two_versions):
    world, running = two_versions

    response = move(running, world.model, 2, 0)

    assert response.status_code == 409
    assert response.json()["epoch"] == 1
    assert "has moved since" in response.json()["reason"]


def test_call_that_is_refused_or_changes_nothing_leaves_no_record(two_versions):
    world, running = two_versions
    before = running.get("/digest")

    codes = {move(running, world.model, 2, 100 + n).status_code for n in range(50)}
    deleted = running.client.post(f"/models/{world.model}/versions/1/delete", json={"reason": "r", "actor": "a"})
    again = running.client.post("/projects", json=world.project_body())

    assert (codes, deleted.status_code, again.status_code) == ({409}, 409, 201)
    assert running.get("/digest") == before


def test_refused_call_that_is_repeated_with_its_key_is_judged_by_what_is_then(two_versions):
    world, running = two_versions
    key = {"Idempotency-Key": "early"}

    early = move(running, world.model, 2, 2, **key)
    assert move(running, world.model, 1, 1).status_code == 200
    later, repeat = move(running, world.model, 2, 2, **key), move(running, world.model, 2, 2, **key)

    assert [answer.status_code for answer in (early, later, repeat)] == [409, 200, 200]
    assert repeat.json() == later.json()
    assert running.get(f"/models/{world.model}/aliases/champion")["epoch"] == 3


def test_model_has_sixteen_aliases_at_most(two_versions):
    world, running = two_versions

    codes = [move(running, world.model, 1, 0, alias=f"alias-{n}").status_code for n in range(16)]
    refused = move(running, world.model, 1, 0, alias="one-more")

    assert codes == [200] * 15 + [409]
    assert "16 are the most" in refused.json()["reason"]
    assert move(running, world.model, 2, 1, alias="alias-3").status_code == 200
    assert len(running.get(f"/models/{world.model}")["aliases"]) == 16


def test_move_to_an_unknown_version_or_model_is_not_found_and_leaves_no_record(two_versions):
    world, running = two_versions
    records = len(running.get(f"/models/{world.model}/history"))

    assert move(running, world.model, 99, 1).status_code == 404
    assert move(running, "no-such-model", 1, 0).status_code == 404
    assert len(running.get(f"/models/{world.model}/history")) == records


def test_alias_never_points_at_a_version_whose_bytes_do_not_verify(two_versions):
    world, running = two_versions
    manifest = world.store_model(f"{world.model}-r2")
    world.store.put(f"models/{world.model}/{manifest}/model.skops", b"MODEL" + b" " * 30)

    response = move(running, world.model, 2, 1)

    assert response.status_code == 409
    assert running.get(f"/models/{world.model}/aliases/champion")["version"] == 1


def test_repeat_with_an_idempotency_key_is_done_once(two_versions):
    world, running = two_versions
    key = {"Idempotency-Key": "one"}

    first, again = move(running, world.model, 2, 1, **key), move(running, world.model, 2, 1, **key)

    assert first.json() == again.json()
    assert running.get(f"/models/{world.model}/aliases/champion")["epoch"] == 2


def test_of_eight_clients_with_one_expected_epoch_exactly_one_wins(two_versions):
    world, running = two_versions

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda n: move(running, world.model, 1 + n % 2, 1).status_code, range(8)))

    assert sorted(codes) == [200] + [409] * 7
    assert running.get(f"/models/{world.model}/aliases/champion")["epoch"] == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": "1"}, "version"),
        ({"version": 0}, "version"),
        ({"version": 2**70}, "version"),
        ({"version": True}, "version"),
        ({"expected_epoch": -1}, "expected_epoch"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 3000}, "reason"),
        ({"actor": None}, "actor"),
    ],
)
def test_bad_field_is_named(model, change, field):
    world, running = model
    body = {"version": 1, "expected_epoch": 0, "reason": "r", "actor": "a"} | change

    response = running.client.post(f"/models/{world.model}/aliases/champion", json=body)

    assert response.status_code == 422
    assert response.json()["field"] == field


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 30_000, b'{"version": ' + b"9" * 5000 + b"}", b"null", b'{"reason": "\\ud800"}']
)
def test_body_that_is_no_command_is_a_client_error(model, body):
    world, running = model

    response = running.client.post(f"/models/{world.model}/aliases/champion", content=body, headers={"Content-Type": "application/json"})

    assert 400 <= response.status_code < 500, response.text


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_a_body_is_413(model, announced):
    world, running = model
    body = b" " * 100_000

    response = running.client.post(f"/models/{world.model}/aliases/champion", content=body if announced else iter([body]))

    assert response.status_code == 413


HOSTILE = ["..", "%2e%2e", "%252e%252e", "..%2f..%2fetc", "a%00b", "%00", "A", "a%0a", "a" * 10_240, "%ff%fe", "-a", "%E2%80%AE"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "path", ["/models/{}", "/models/{}/aliases/champion", "/models/{}/history", "/models/flights/aliases/{}", "/models/flights/versions/{}"]
)
def test_hostile_name_is_a_client_error_and_changes_nothing(shared, name, path):
    _, running = shared
    before = running.get("/digest")

    for method in ("GET", "POST"):
        assert 400 <= raw_status(running, method, path.format(name)) < 500

    after = running.get("/digest")
    if after["offset"] == before["offset"]:
        assert after["digest"] == before["digest"]
    assert name not in [listed["model"] for listed in running.get("/models")]


def raw_status(running, method, path):
    """As written: a client library would tidy the path up."""
    body = b'{"version":1,"expected_epoch":0,"reason":"r","actor":"a"}' if method == "POST" else b""
    url = running.client.base_url
    with socket.create_connection((url.host, url.port), 10) as connection:
        fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        head = f"{method} {path} HTTP/1.1\r\n{fields}"
        connection.sendall(head.encode() + body)
        return int(connection.makefile("rb").readline().split()[1])


def test_answer_says_how_far_the_log_was_folded(model):
    _, running = model

    assert int(running.client.get("/models").headers["driftloop-registry-offset"]) > 0


def test_operations_answer(shared):
    _, running = shared

    assert running.get("/healthz") == {"alive": True}
    assert running.get("/readyz")["ready"] is True
    assert running.get("/status")["service"] == "registry"
    assert "driftloop_registry_view_rebuilds" in running.client.get("/metrics").text


def test_stale_alias_lookup_takes_a_few_milliseconds_of_the_server_at_most(two_versions):
    """Of its time on a core, whatever else is on the machine; `make bench` has the figures."""
    world, running = two_versions
    path = f"/models/{world.model}/aliases/champion?stale=ok"

    before = _cpu_seconds(running.process.pid)
    for _ in range(300):
        assert running.client.get(path).status_code == 200

    assert (_cpu_seconds(running.process.pid) - before) / 300 < 0.01


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
