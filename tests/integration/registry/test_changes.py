"""What people do to versions, over HTTP and on the command line, on a real broker and a real store."""

import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from tests.integration.registry.registry_process import make_world, registry
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.registry.commands import measured

SAID = {"reason": "a test", "actor": "ada"}


@pytest.fixture(scope="module")
def shared(kafka_bootstrap, s3, tmp_path_factory):
    """One registry for all tests here; each has its own model."""
    world = make_world(kafka_bootstrap, s3, "unused")
    folder = tmp_path_factory.mktemp("registry")
    with registry(world, folder) as running:
        yield world, running, folder


@pytest.fixture
def by_person(shared, unique):
    """Version 1 was approved and is champion at epoch 1; version 2 passed the gate and waits."""
    return made(shared, unique)


@pytest.fixture(scope="module")
def untouched(shared):
    """The same, for tests that change nothing."""
    return made(shared, uuid.uuid4().hex[:10])


def made(shared, suffix):
    world, running, _ = shared
    world = world._replace(model=f"m-{suffix}")
    assert running.client.post("/projects", json=world.project_body(world.project(approval="person"))).status_code == 201
    world.train(f"{world.model}-r1")
    assert not world.decision(f"{world.model}-r1").accepted
    assert say(running, world, 1, "approve").status_code == 200
    world.train(f"{world.model}-r2", epoch=1, measured=measured(against=1))
    world.decision(f"{world.model}-r2")
    return world, running


@pytest.fixture
def driftloop(shared):
    """The command line, as a person would call it."""
    world, running, folder = shared
    (folder / "access").write_text(world.s3.access_key)
    (folder / "secret").write_text(world.s3.secret_key)
    environment = os.environ | {
        "DRIFTLOOP_CLI_KAFKA_BOOTSTRAP": world.bootstrap,
        "DRIFTLOOP_CLI_S3_ENDPOINT": world.s3.endpoint,
        "DRIFTLOOP_CLI_S3_ACCESS_KEY_FILE": str(folder / "access"),
        "DRIFTLOOP_CLI_S3_SECRET_KEY_FILE": str(folder / "secret"),
        "DRIFTLOOP_CLI_REGISTRY_URL": str(running.client.base_url).rstrip("/"),
        "COLUMNS": "200",
        "LOGNAME": "ada",  # who asks
    }

    def call(*arguments):
        command = [sys.executable, "-m", "driftloop.cli", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    return call


def say(running, world, version, what, **headers):
    return running.client.post(f"/models/{world.model}/versions/{version}/{what}", json=SAID, headers=headers)


def move(running, world, version, epoch, alias="champion"):
    body = {**SAID, "version": version, "expected_epoch": epoch}
    return running.client.post(f"/models/{world.model}/aliases/{alias}", json=body)


def roll_back(running, world, alias="champion", body=SAID, **headers):
    return running.client.post(f"/models/{world.model}/aliases/{alias}/rollback", json=body, headers=headers)


def champion(running, world):
    alias = running.get(f"/models/{world.model}/aliases/champion")
    return alias["version"], alias["epoch"]


def test_version_that_waits_is_shown_and_its_decision_says_so(untouched):
    world, running = untouched

    shown = running.get(f"/models/{world.model}")
    decision = world.decision(f"{world.model}-r2")

    assert shown["waiting"] == [2]
    assert [version["standing"] and version["standing"]["state"] for version in shown["versions"]] == [None, "waiting"]
    assert running.get(f"/models/{world.model}/versions/2")["standing"]["champion_epoch"] == 1
    assert not decision.accepted
    assert decision.evidence["outcome"]["waiting"] is True
    assert decision.reason.startswith("waiting for approval by a person: roc_auc")
    assert champion(running, world) == (1, 1)


def test_of_eight_people_who_answer_exactly_one_is_heard(by_person):
    world, running = by_person

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: say(running, world, 2, ("approve", "reject")[n % 2]).status_code, range(8)))

    assert sorted(answers) == [200] + [409] * 7
    assert running.get(f"/models/{world.model}")["waiting"] == []


def test_approval_repeated_with_its_key_is_done_once(by_person):
    world, running = by_person
    key = {"Idempotency-Key": "one"}

    first, again = say(running, world, 2, "approve", **key), say(running, world, 2, "approve", **key)

    assert first.json() == again.json()
    assert (first.status_code, first.json()["epoch"]) == (200, 2)
    assert champion(running, world) == (2, 2)


def test_approval_after_the_champion_has_moved_is_refused_and_changes_nothing(by_person):
    world, running = by_person
    move(running, world, 1, 1)
    before = running.get("/digest")

    response = say(running, world, 2, "approve")

    assert response.status_code == 409
    assert "the champion has moved since version 2 was measured" in response.json()["reason"]
    assert running.get("/digest") == before


def test_version_whose_bytes_do_not_verify_is_not_approved(by_person):
    world, running = by_person
    manifest = world.store_model(f"{world.model}-r2")
    world.store.put(f"models/{world.model}/{manifest}/model.skops", b"MODEL" + b" " * 30)

    response = say(running, world, 2, "approve")

    assert response.status_code == 409
    assert "cannot be served" in response.json()["error"]
    assert champion(running, world) == (1, 1)


def test_steps_back_lead_back_and_a_repeat_of_one_does_not_go_further(by_person):
    world, running = by_person
    say(running, world, 2, "approve")
    world.train(f"{world.model}-r3", epoch=2, measured=measured(against=2))
    world.decision(f"{world.model}-r3")
    say(running, world, 3, "approve")
    key = {"Idempotency-Key": "back"}

    first, repeat = roll_back(running, world, **key), roll_back(running, world, **key)
    second, third = roll_back(running, world), roll_back(running, world)

    assert (first.json()["version"], first.json()["epoch"]) == (2, 4)
    assert repeat.json() == first.json()
    assert (second.json()["version"], second.json()["epoch"]) == (1, 5)
    assert third.status_code == 409
    assert "nothing to go back to" in third.json()["error"]
    assert champion(running, world) == (1, 5)


def test_rollback_to_a_version_from_an_old_epoch_is_refused(by_person):
    world, running = by_person
    move(running, world, 2, 1)

    late = roll_back(running, world, body={**SAID, "to": 1, "expected_epoch": 1})
    now = roll_back(running, world, body={**SAID, "to": 1, "expected_epoch": 2})

    assert (late.status_code, late.json()["epoch"]) == (409, 2)
    assert (now.status_code, now.json()["epoch"]) == (200, 3)


def test_version_is_deleted_only_when_nothing_holds_it_and_never_comes_back(by_person):
    world, running = by_person

    assert "is the champion" in say(running, world, 1, "delete").json()["reason"]
    assert "waits for approval" in say(running, world, 2, "delete").json()["reason"]
    assert say(running, world, 2, "reject").status_code == 200
    assert say(running, world, 2, "delete").status_code == 200
    again, back = say(running, world, 2, "delete"), move(running, world, 2, 1)
    world.train(f"{world.model}-r3", epoch=1, measured=measured(against=1))

    assert (again.status_code, back.status_code) == (409, 409)
    assert back.json()["reason"] == "version 2 was deleted by ada"
    assert world.decision(f"{world.model}-r3").evidence["version"] == 3
    standing = running.get(f"/models/{world.model}/versions/2")["standing"]
    assert (standing["state"], standing["by"], standing["reason"]) == ("deleted", "ada", "a test")
    assert running.get("/digest")["digest"] == running.get("/digest")["view_digest"]


@pytest.mark.parametrize("what", ["approve", "reject", "delete"])
def test_unknown_version_is_not_found_and_a_missing_reason_is_named(untouched, what):
    world, running = untouched

    nameless = running.client.post(f"/models/{world.model}/versions/2/{what}", json={"actor": "ada"})

    assert say(running, world, 99, what).status_code == 404
    assert (nameless.status_code, nameless.json()["field"]) == (422, "reason")


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%00b", "A", "a" * 10_240])
@pytest.mark.parametrize(
    "path",
    [
        "/models/{}/versions/1/approve",
        "/models/{}/versions/1/delete",
        "/models/flights/versions/{}/reject",
        "/models/m/aliases/{}/rollback",
    ],
)
def test_hostile_name_is_a_client_error_and_leaves_no_record(shared, name, path):
    _, running, _ = shared
    response = running.client.post(path.format(name), json=SAID)

    assert 400 <= response.status_code < 500
    assert running.client.get("/models").status_code == 200


def test_a_persons_whole_way_on_the_command_line(by_person, driftloop):
    world, running = by_person
    name = world.model

    def done(*arguments):
        result = driftloop("models", *arguments, "--reason", "a [bold]test[/] \x1b[31m", "--json")
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    assert "waiting for approval: roc_auc" in driftloop("models", "show", name).stdout
    assert done("approve", name, "2")["epoch"] == 2
    while_second = datetime.now(UTC)
    assert done("rollback", name)["version"] == 1
    assert done("promote", name, "2", "--expected-epoch", "3")["epoch"] == 4
    assert done("promote", name, "1")["epoch"] == 5
    assert done("promote", name, "2", "--alias", "challenger")["epoch"] == 1
    assert done("rollback", name, "--to", "1", "--alias", "challenger")["version"] == 1
    assert done("delete", name, "2")["accepted"]

    at = json.loads(driftloop("models", "at", name, while_second.isoformat(), "--json").stdout)
    assert (at["version"], at["epoch"], at["by"]) == (2, 2, "ada")
    assert "deleted by ada: a [bold]test[/] \N{REPLACEMENT CHARACTER}[31m" in driftloop("models", "show", name).stdout
    history = driftloop("models", "history", name).stdout
    assert "[bold]test[/]" in history
    assert "\x1b" not in history
    assert running.get(f"/models/{name}/history")[-1]["actor"] == "ada"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("approve", "{}", "1", "--reason", "r"), "version 1 is not waiting for approval"),
        (("reject", "{}", "7", "--reason", "r"), "has no version 7"),
        (("delete", "{}", "1", "--reason", "r"), "version 1 is the champion"),
        (("delete", "{}", "0", "--reason", "r"), "0 is not in the range"),
        (("promote", "{}", "2", "--expected-epoch", "0", "--reason", "r"), "has moved since: epoch 1, expected 0"),
        (("promote", "{}", "2"), "Missing option '--reason'"),
        (("promote", "{}", "2", "--reason", ""), "reason"),
        (("promote", "../x", "2", "--reason", "r"), "is no name"),
        (("promote", "{}", "2", "--alias", "..", "--reason", "r"), "is no name"),
        (("rollback", "{}", "--reason", "r"), "version 1 was the first champion"),
        (("rollback", "no-such-model", "--reason", "r"), "no model no-such-model"),
        (("at", "{}", "2020-01-01"), "had no champion at 2020-01-01T00:00:00+00:00"),
        (("at", "{}", "yesterday"), "is no time"),
        (("approve", "{}", "2", "--reason", b"\xff"), "not readable text"),
    ],
)
def test_what_is_refused_is_one_line_and_exit_code_2(untouched, driftloop, arguments, words):
    world, running = untouched

    result = driftloop("models", *[a.replace("{}", world.model) if isinstance(a, str) else a for a in arguments])

    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert champion(running, world) == (1, 1)
