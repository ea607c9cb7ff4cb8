"""A registry process and callers that mean no good: pages of other sites, half-sent requests, bodies that never end."""

import time

import httpx
import msgspec
import pytest
from tests.integration.registry.moves import move, set_up
from tests.integration.registry.registry_process import make_world, registry
from tests.support.strangers import FOREIGN, FROM_A_PAGE, all_hung_up, connections, statuses

MOVE = {"version": 1, "expected_epoch": 1, "reason": "a test", "actor": "the CFO"}


@pytest.fixture(scope="module")
def running(kafka_bootstrap, s3, tmp_path_factory):
    world = make_world(kafka_bootstrap, s3, "unused")
    with registry(world, tmp_path_factory.mktemp("registry"), DRIFTLOOP_REGISTRY_HTTP_NAMES="registry.corp.example") as made:
        yield made


def test_page_of_another_site_reads_and_changes_nothing(world, running):
    set_up(world, running, versions=1)
    path = f"/models/{world.model}"
    before = running.get("/digest")

    reads = {
        p: statuses(running.client, "GET", p)[0] for p in ("/models", path, "/digest", "/openapi.json", "/status", "/metrics", "/healthz")
    }
    changes = [
        running.client.post(f"{path}/{what}", json=MOVE, headers=headers).status_code
        for what in ("aliases/champion", "aliases/champion/rollback", "versions/1/approve", "versions/1/reject", "versions/1/delete")
        for headers in (FOREIGN, FROM_A_PAGE, {"Origin": "null"})
    ]
    changes += [running.client.post("/projects", json=world.project_body(), headers=h).status_code for h in (FOREIGN, FROM_A_PAGE)]

    assert set(reads.values()) == {421}
    assert set(changes) <= {421, 403}
    assert running.get("/digest") == before
    assert move(running, world, 1, 1).status_code == 200


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_body_that_a_page_may_send_without_asking_changes_nothing(world, running, content_type):
    """These are all the types that a browser sends to another origin without a preflight."""
    set_up(world, running, versions=1)
    before = running.get("/digest")
    headers = {} if content_type is None else {"Content-Type": content_type}
    path = f"/models/{world.model}"

    for what in ("aliases/champion", "aliases/champion/rollback", "versions/1/approve", "versions/1/reject", "versions/1/delete"):
        answer = running.client.post(f"{path}/{what}", content=msgspec.json.encode(MOVE), headers=headers)
        assert 400 <= answer.status_code < 500, f"{what}: {answer.text}"
    answer = running.client.post("/projects", content=msgspec.json.encode(world.project_body()), headers=headers)

    assert 400 <= answer.status_code < 500
    assert running.get("/digest") == before


def test_name_in_the_setting_is_answered(world, running):
    assert running.client.get("/models", headers={"Host": "registry.corp.example"}).status_code == 200


def test_fifteen_hundred_half_sent_requests_keep_nobody_out_and_are_hung_up_on(world, running):
    port = running.client.base_url.port
    with connections(port, 1500) as held:
        began = time.monotonic()
        answers = [httpx.get(f"http://127.0.0.1:{port}/models?stale=ok", timeout=20).status_code for _ in range(20)]
        assert answers == [200] * 20
        all_hung_up(held, 40)
    assert time.monotonic() - began > 5  # they were given their time
    assert "driftloop_http_closed_total" in running.client.get("/metrics").text


def test_body_that_does_not_come_is_not_waited_for(world, running):
    head = b"POST /projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    with connections(running.client.base_url.port, 20, sending=head) as held:
        held[0].settimeout(30)
        assert held[0].makefile("rb").readline().startswith(b"HTTP/1.1 408")
        all_hung_up(held)
