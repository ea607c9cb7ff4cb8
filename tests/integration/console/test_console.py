"""The console as a process, over a real broker, store and registry."""

import re
from typing import Any

import pytest
from tests.integration.console.conftest import EVIL, WINDOWS, Console, started
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.adapters.kafka import read_topic
from driftloop.contracts.redrives import redrive_of
from driftloop.history.checkpoint import Checkpoint


def of(console: Console, path: str, **asked: Any) -> Any:
    answer = console.client.get(f"{path}.json", params={"model": console.world.model, **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def key_in(page: str) -> str:
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_pages_show_what_was_told_and_what_a_stranger_wrote_is_text(console: Console) -> None:
    assert of(console, "/drift")["windows"] == WINDOWS + 1
    assert of(console, "/performance")["windows"] == WINDOWS
    kinds = {entry["kind"] for entry in of(console, "/journal", all=1, entries=500)["entries"]}
    assert {"incident", "retrain", "promote", "registry"} <= kinds
    assert [row["version"] for row in of(console, "/models")["versions"]] == [2, 1]
    asked = {"model": console.world.model, "version": "1", "feature": "f0"}
    for path in ("/", "/drift", "/performance", "/models", "/version", "/prediction", "/feature"):
        page = console.client.get(path, params=asked)
        assert page.status_code == 200
        assert EVIL not in page.text


def test_a_question_to_the_store_is_answered_with_a_sentence(console: Console) -> None:
    answer = console.client.get("/prediction", params={"event": "no-such-event"})
    assert answer.status_code == 400
    assert "no prediction with the event id" in answer.text


def test_a_person_promotes_and_rolls_back_once_however_often_it_is_sent_and_a_foreign_page_does_not(console: Console) -> None:
    model = console.world.model

    def form(page: str, **more: str) -> dict[str, str]:
        return {"model": model, "reason": EVIL, "actor": "a person", "key": key_in(page), **more}

    epoch = of(console, "/models")["champion_epoch"]
    page = console.client.get("/version", params={"model": model, "version": 2}).text
    wish = form(page, version="2", expected_epoch=str(epoch))
    foreign = console.client.post("/models/promote", data=wish, headers={"Origin": "http://elsewhere.example"})
    assert foreign.status_code == 403
    assert of(console, "/models")["champion_epoch"] == epoch
    for _ in range(2):
        done = console.client.post("/models/promote", data=wish, headers={"Origin": console.url})
        assert (done.status_code, done.headers["location"]) == (303, f"/models?model={model}&told=done")
        found = of(console, "/models")
        assert (found["champion"], found["champion_epoch"]) == (2, epoch + 1)
    late = console.client.post("/models/promote", data=form(page, version="1", expected_epoch=str(epoch)))
    assert late.status_code == 409
    assert "It was not done" in late.text
    back = console.client.post(
        "/models/rollback", data=form(console.client.get("/models", params={"model": model}).text, expected_epoch=str(epoch + 1))
    )
    assert back.status_code == 303
    assert of(console, "/models")["champion"] == 1
    journal = console.client.get("/", params={"model": model}).text
    assert "champion is now version 1" in journal
    assert EVIL not in journal


def test_rejected_messages_are_shown_mended_and_sent_again_once(console: Console) -> None:
    model, labels = console.world.model, f"{console.world.model}.labels"
    listed = of(console, "/quarantine")
    assert (listed["all"], sorted(one["messages"] for one in listed["reasons"])) == (4, [1, 3])
    ids = [one["id"] for one in listed["messages"] if one["topic"] == labels][:2]
    for path, asked in (("/data", {}), ("/quarantine", {}), ("/rejected", {"id": ids[0]}), ("/redrive", {"ids": ids[0]})):
        page = console.client.get(path, params={"model": model, **asked})
        assert page.status_code == 200, page.text
        assert EVIL not in page.text
    (hostile,) = [one["id"] for one in listed["messages"] if one["topic"] != labels]
    assert of(console, "/rejected", id=hostile)["value"]["hex"].startswith("ff 00 3c")
    assert of(console, "/redrive", ids=" ".join(ids))["refused"] == 2

    form = {"model": model, "ids": " ".join(ids), "set": "label=true", "reason": "labels came as text", "actor": "Ada", "key": "0" * 16}
    foreign = console.client.post("/redrive/send", data=form, headers={"Origin": "http://elsewhere.example"})
    assert foreign.status_code == 403
    first = console.client.post("/redrive/send", data=form, headers={"Origin": console.url})
    assert (first.status_code, "sent=2&refused=0&before=0" in first.headers["location"]) == (303, True), first.text
    second = console.client.post("/redrive/send", data=form, headers={"Origin": console.url})
    assert "sent=0&refused=0&before=2" in second.headers["location"]
    sent = [redrive_of(record.headers) for record in read_topic(console.world.bootstrap, labels)]
    assert sorted((one.offset, one.by) for one in sent if one is not None) == [(1, "Ada"), (2, "Ada")]  # the newest two
    assert of(console, "/quarantine")["waiting"] == 2
    wait_until(lambda: of(console, "/data")["redrives"], "the console to have read of it")
    assert of(console, "/data")["redrives"][0]["messages"] == 2


def test_now_comes_as_events_under_the_same_headers_and_ends_with_the_process(world, tmp_path_factory) -> None:
    made, running = world
    with started(made, running, tmp_path_factory.mktemp("events"), str(running.client.base_url)) as console:
        with console.client.stream("GET", "/now/events", params={"model": made.model}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["content-security-policy"].startswith("default-src 'self'")
            lines = answer.iter_lines()
            told = next(line for line in lines if line.startswith("data: "))
            assert f"{made.model}: version" in told
            console.process.terminate()
            assert list(lines)[-1:] in ([], [""])  # whole to its end: no connection that was cut
        assert console.process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.usefixtures("console")
def test_without_a_registry_pages_are_there_and_a_command_says_that_nobody_knows(world, tmp_path_factory) -> None:
    made, running = world
    home = tmp_path_factory.mktemp("lonely")
    with started(made, running, home, "http://127.0.0.1:1") as console:
        assert of(console, "/models")["versions"]
        fields = {"model": made.model, "reason": "r", "actor": "a", "version": "2", "expected_epoch": "9", "key": "0" * 16}
        answer = console.client.post("/models/promote", data=fields)
        assert answer.status_code == 503
        assert "the registry at http://127.0.0.1:1 does not answer" in answer.text
        assert Checkpoint(home / "console-0" / "record.checkpoint").load() is None  # so few events are folded anew
