"""Each page over a record put together by hand, as HTML and as JSON: what it says, and what it says when there is nothing."""

import base64
import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import numpy as np
import pytest
from bench.console_events import START, about, decision, drift, incident, loop, performance, window
from tests.unit.console.desk import Browser, Followed, console, record_of
from tests.unit.history import facts as story
from tests.unit.registry.commands import MODEL, move_alias, promote, register_project, register_version

from driftloop.contracts.challengers import ChallengerReport, PairedGain
from driftloop.contracts.codec import Envelope
from driftloop.contracts.events import Event
from driftloop.contracts.values import Estimate
from driftloop.contracts.watched import Watched, watched_digest
from driftloop.errors import TransientError
from driftloop.registry.state import ModelState, ModelVersion, RegistryState
from driftloop_console.asking import Question, Trace
from driftloop_console.drift_table import AT_THRESHOLD
from driftloop_console.pages import models
from driftloop_console.record import ConsoleFold
from driftloop_console.site import PAGES
from driftloop_console.view import view_of

EVENTS = list(loop(200, 6, 4))
RUNNING = [(event, story.about(event, "s")) for event in (story.started("r7", model=MODEL),)]
EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>" onload="x'
TO_EACH = [page.path for page in PAGES if page.path not in ("/prediction", "/distribution", "/feature", "/version")]
FROM_TOPICS = ("/quarantine", "/rejected", "/redrive")  # test_data_pages has them


@pytest.fixture(scope="module")
def shop() -> Browser:
    return console(record_of(EVENTS))


def two_versions() -> Browser:
    """Version 1 is champion at epoch 1; version 2 is there."""
    told = [("c1", story.completed("r1", model=MODEL)), ("d1", story.judged("r1")), ("q", story.requested(MODEL))]
    record = record_of([(event, story.about(event, event_id)) for event_id, event in told])
    commands = [register_project(), register_version("r1"), promote("r1", epoch=0), register_version("r2", command_id="v2")]
    return console(record, *commands)


def ok(client: Browser, path: str, **asked: Any) -> str:
    answer = client.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.text


def of(client: Browser, path: str, **asked: Any) -> Any:
    answer = client.get(f"{path}.json", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


class Markup(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("path", TO_EACH)
def test_an_installation_without_a_model_is_told_the_next_command(path: str) -> None:
    assert "driftloop up --project DIR" in ok(console(), path)


@pytest.mark.parametrize("path", ["/performance", "/drift", "/what-if"])
def test_a_range_without_windows_leads_to_one_that_has_some(shop: Browser, path: str) -> None:
    page = ok(shop, path, **{"from": "1999-01-01", "to": "1999-02-01"})
    assert "No window in this range of time; 200 in all others" in page
    assert f'href="{path}?"' in page


def test_a_column_without_windows_in_a_range_leads_to_all_of_its_time(shop: Browser) -> None:
    page = ok(shop, "/feature", feature="f0", **{"from": "1999-01-01", "to": "1999-02-01"})
    assert "No window in this range of time; 200 in all others" in page
    assert 'href="/feature?feature=f0"' in page


@pytest.mark.parametrize("path", ["/", "/performance", "/drift", "/models"])
@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"from": "soon"}, "is no time: write 2026-01-31"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "the range ends before it begins"),
        ({"model": "No Name"}, "is no name of a model"),
        ({"skip": "x", "points": "x", "width": "x"}, "is no whole number"),
    ],
)
def test_an_address_that_makes_no_sense_is_answered_with_a_sentence(shop: Browser, path: str, asked: dict[str, str], says: str) -> None:
    if path == "/models":
        shop = two_versions()
    answer = shop.get(path, params=asked)
    assert answer.status_code == 400
    assert says in answer.text
    told = shop.get("/journal.json" if path == "/" else f"{path}.json", params=asked)
    assert (told.status_code, says in told.json()["error"]) == (400, True)


@pytest.mark.parametrize("path", ["/nothing", "/static/../app.py", "/performance/x"])
def test_what_is_not_there_is_not_found(shop: Browser, path: str) -> None:
    assert shop.get(path).status_code == 404


def test_the_journal_tells_incidents_and_decisions_newest_first_with_their_evidence(shop: Browser) -> None:
    found = of(shop, "/journal")
    kinds = [entry["kind"] for entry in found["entries"]]
    assert kinds.count("incident") == 2
    assert kinds.count("retrain") == 10  # the yes of each window that has drifted; the no of the others is left out
    times = [entry["time"] for entry in found["entries"]]
    assert times == sorted(times, reverse=True)
    assert all(entry["picture"]["values"] for entry in found["entries"] if entry["kind"] == "incident")
    assert found["entries"][0]["evidence"]
    assert of(shop, "/journal", all=1)["count"] == 200 + 2
    page = ok(shop, "/")
    assert "f0 drifted from the training data" in page
    assert 'class="picture"' in page


def test_the_journal_of_a_range_is_of_its_windows(shop: Browser) -> None:
    found = of(shop, "/journal", **{"from": window(140).start.isoformat()[:16], "to": window(160).start.isoformat()[:16]})
    assert {entry["window"]["start"][:13] for entry in found["entries"]} == {window(n).start.isoformat()[:13] for n in range(150, 155)}


def test_older_entries_are_a_page_further(shop: Browser) -> None:
    first = of(shop, "/journal", entries=5)
    second = of(shop, "/journal", entries=5, skip=first["more"])
    assert not {e["id"] for e in first["entries"]} & {e["id"] for e in second["entries"]}


def test_performance_is_the_metric_of_each_window_beside_version_1(shop: Browser) -> None:
    found = of(shop, "/performance")
    assert (found["metric"], found["windows"], found["first_version"]) == ("roc_auc", 200, 1)
    points = found["points"]
    assert len(points["time"]) == 200
    assert all(low < value < high for low, value, high in zip(points["lower"], points["value"], points["upper"], strict=True))
    assert [value is not None for value in points["first"]] == [n < 50 for n in range(200)]
    assert [mark["label"] for mark in found["marks"]] == ["v1", "v2", "v3", "v4"]
    assert found["newest"][0]["version"] == 4
    assert "harmful drift" in ok(shop, "/performance", to=window(155).start.isoformat()[:16])


def test_a_challenger_is_drawn_beside_the_champion_and_version_1_as_one_is_version_1() -> None:
    rng = np.random.default_rng(0)

    def beside(n: int, version: int, value: float) -> tuple[Event, Envelope]:
        both = PairedGain(challenger=value, champion=0.7, gain=value - 0.7, lower=-0.1, upper=0.1)
        report = ChallengerReport(
            version=version, champion=2, rows=9, compared=9, unscored=0, disagreement=0.25, difference=0.1, labelled=9, measured=both
        )
        event = msgspec.structs.replace(performance(n, None, rng), challengers=(report,))
        return event, about(event, f"c{n}", n)

    estimated = msgspec.structs.replace(performance(1, 2, rng), estimate=Estimate(value=0.66, calibrated=True))
    own = [(event, about(event, f"o{n}", n)) for n, event in enumerate((performance(0, 1, rng), estimated))]
    client = console(record_of([beside(0, 3, 0.6), *own, beside(1, 1, 0.5)]))
    found = of(client, "/performance")
    assert found["points"]["challenger"] == [0.6, None]
    assert found["points"]["first"][1] == 0.5
    assert found["points"]["estimate"] == [None, 0.66]
    assert "v1: 0.5, 25 % otherwise" in ok(client, "/performance")


def test_few_points_stand_for_many_windows(shop: Browser) -> None:
    found = of(shop, "/performance", points=20)
    assert (len(found["points"]["time"]), found["windows_per_point"]) == (20, 10)


def test_drift_is_a_byte_a_cell_with_the_harmful_column_first(shop: Browser) -> None:
    found = of(shop, "/drift")
    cells = np.frombuffer(base64.b64decode(found["cells"]), "u1").reshape(len(found["features"]), len(found["starts"]))
    assert found["features"][0]["name"] == "f0"
    assert [n for n in range(200) if cells[0, n] > AT_THRESHOLD] == [*range(50, 55), *range(150, 155)]
    assert (cells[1:] <= AT_THRESHOLD).all()
    assert found["drifted"] == 10
    narrow = of(shop, "/drift", width=10)
    pooled = np.frombuffer(base64.b64decode(narrow["cells"]), "u1").reshape(len(narrow["features"]), 10)
    assert (pooled[0] > AT_THRESHOLD).sum() == 2


def test_a_column_is_shown_over_time_and_another_is_not_found(shop: Browser) -> None:
    found = of(shop, "/feature", feature="f0")
    assert found["importance"] == 0.05
    assert max(found["points"]["distance"]) == pytest.approx(0.25, abs=1e-3)
    assert found["newest"][0]["missing"] == pytest.approx(0.02, abs=0.01)
    assert "f0" in ok(shop, "/feature", feature="f0")
    answer = shop.get("/feature", params={"feature": EVIL})
    assert answer.status_code == 404
    assert "<script>alert" not in answer.text


def test_models_show_versions_and_what_can_be_done() -> None:
    client = two_versions()
    found = of(client, "/models")
    assert (found["champion"], [row["version"] for row in found["versions"]]) == (1, [2, 1])
    assert "Version <a" in ok(client, "/models")
    one, two = (ok(client, "/version", model=MODEL, version=n) for n in (1, 2))
    assert "It is the champion" in one
    assert "Make version 2 champion" in two
    sentences = of(client, "/version", model=MODEL, version=1)["sentences"]
    assert sentences[0] == "Trained with the recipe all on 1 rows in 1 s, the best of 1 tried."
    assert any(sentence.startswith("The gate said yes") for sentence in sentences)
    stages = of(client, "/version", model=MODEL, version=1)["stages"]
    assert [stage["stage"] for stage in stages] == ["judged", "registered", "champion"]
    for version, says in ((9, "it has 1 to 2"), (0, "has no version 0")):
        answer = client.get("/version", params={"model": MODEL, "version": version})
        assert (answer.status_code, says in answer.text) == (404, True)


def nobody(_: Question) -> dict[str, Any]:
    raise AssertionError("the store is asked only when somebody wants to know")


def test_a_version_that_is_served_elsewhere_has_no_bytes_and_its_name_is_text() -> None:
    watched = Watched(served_as=EVIL)
    seen = ModelVersion(
        model=MODEL, version=1, request_id="seen", manifest=watched_digest(MODEL, watched), pins=None, registered_at=START, watched=watched
    )
    registry = RegistryState(models={MODEL: ModelState(model=MODEL, versions=(seen,))})
    found = models.version(ConsoleFold(), registry, nobody, view_of({"version": "1"}), MODEL)
    assert found["sentences"][0].startswith(f"It is served elsewhere, as {EVIL}")
    assert found["pins"] == {}


def test_what_people_did_is_in_the_journal() -> None:
    client = console(
        ConsoleFold(), register_project(), register_version("r1"), promote("r1", epoch=0), move_alias(1, epoch=1, command_id="m")
    )
    assert any(entry["kind"] == "registry" for entry in of(client, "/journal")["entries"])


def test_a_prediction_is_asked_for_by_its_event_id() -> None:
    asked: list[Question] = []

    def ask(question: Question) -> dict[str, Any]:
        asked.append(question)
        link = {"link": "snapshot", "ok": False, "what": EVIL, "reason": "gone", "details": {EVIL: EVIL}}
        return {"event_id": EVIL, "ok": False, "model": MODEL, "version": 1, "stream": MODEL, "prediction": {EVIL: EVIL}, "links": [link]}

    client = console(None, register_project(), ask=ask)
    assert "Event id" in ok(client, "/prediction")
    page = ok(client, "/prediction", event="e-1")
    assert asked == [Trace(event="e-1")]
    assert "a link does not hold" in page
    assert "<script>alert" not in page


def test_a_store_that_is_away_is_said_and_so_is_a_broker_and_the_rest_is_shown() -> None:
    def ask(_: Question) -> dict[str, Any]:
        raise TransientError("the store at http://127.0.0.1:1 does not answer")

    client = console(record_of(EVENTS), ask=ask)
    answer = client.get("/prediction", params={"event": "e"})
    assert (answer.status_code, "the store at http://127.0.0.1:1 does not answer" in answer.text) == (503, True)
    silent = console(record_of(EVENTS), follower=Followed(trouble=TransientError("no broker at 127.0.0.1:1")))
    page = ok(silent, "/drift")
    assert "The record is still being read" in page
    assert "no broker at 127.0.0.1:1" in page
    assert "f0" in page


def test_now_says_what_is_down_and_what_to_do_and_shows_what_is_known() -> None:
    client = console(record_of(EVENTS), register_project(), services="registry=http://127.0.0.1:1,trainer=http://127.0.0.1:1")
    found = of(client, "/now")
    assert [(service["instance"], service["state"]) for service in found["services"]] == [("registry-0", "down"), ("trainer-0", "down")]
    assert {"about": "stack", "says": "trainer-0: does not answer", "act": "see the log of trainer-0"} in found["words"]
    assert found["models"][0]["champion"] is None
    page = ok(client, "/now")
    assert "2 things need a person" in page
    assert "✗ down" in page
    assert "there are: see its setting SERVICES" in ok(console(), "/now")
    assert "Services were not asked: no stack runs here" in ok(console(services="/nowhere/stack.json"), "/now")


def test_now_draws_the_loop_with_what_each_station_is_about() -> None:
    client = console(record_of([*EVENTS, *RUNNING]), register_project(), register_version("r1"), promote("r1", epoch=0))
    loop_ = {station["service"]: station for station in of(client, "/now")["loop"]}
    assert list(loop_) == ["predictor", "ingest", "monitor", "trainer", "registry"]
    assert loop_["predictor"]["about"] == [f"{MODEL}: version 1"]
    assert loop_["trainer"]["about"] == [f"{MODEL}: in hand since 2026-01-01 00:00"]
    assert loop_["predictor"]["state"] is None  # nobody has told who it is
    page = ok(client, "/now")
    assert 'class="loop"' in page
    assert "not asked" in page


def hostile() -> Browser:
    """Whatever somebody may write is written by somebody who means harm."""
    drifted = msgspec.structs.replace(drift(50, 1, 1, np.random.default_rng(0), MODEL), column=EVIL)
    drifted = msgspec.structs.replace(drifted, features={EVIL: drifted.features["f0"]})
    opened = msgspec.structs.replace(incident(50, 1, MODEL), columns={EVIL: 0.25})
    told = [drifted, opened, decision(50, MODEL, reason=EVIL), msgspec.structs.replace(story.failed("r9"), model=MODEL, reason=EVIL)]
    asked = msgspec.structs.replace(story.requested(MODEL), detail=EVIL, requested_by=EVIL)
    record = record_of([(event, about(event, f"h{n}", 50)) for n, event in enumerate([*told, asked])])
    moved = msgspec.structs.replace(move_alias(1, epoch=1, command_id="evil"), actor=EVIL, reason=EVIL)
    return console(record, register_project(), register_version("r1"), promote("r1", epoch=0), moved)


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/", {}),
        ("/", {"all": "1"}),
        ("/drift", {}),
        ("/feature", {"feature": EVIL}),
        ("/models", {}),
        ("/version", {"version": "1"}),
        ("/prediction", {"event": EVIL, "time": EVIL}),
        ("/", {"model": EVIL, "from": EVIL}),
    ],
)
def test_hostile_names_and_reasons_are_text(path: str, asked: dict[str, str]) -> None:
    found = Markup(hostile().get(path, params={"model": MODEL} | asked).text)
    scripts = [attributes for tag, attributes in found.elements if tag == "script"]
    assert all(str(attributes.get("src", "")).startswith("/static/") for attributes in scripts)
    assert {str(attributes["src"]).rpartition("/")[2] for attributes in scripts} == {"uPlot.iife.min.js", "console.js", "live.js"}
    assert not [name for _, attributes in found.elements for name in attributes if name.startswith("on") or name == "style"]
    assert not [tag for tag, _ in found.elements if tag in ("img", "iframe", "object", "base", "style")]


def test_what_is_hostile_is_shown_as_it_was_written() -> None:
    assert EVIL in Markup(ok(hostile(), "/", all=1)).text


def test_a_browser_may_run_and_ask_nothing_but_ours(shop: Browser) -> None:
    for path in ("/", "/static/console.css", "/nothing", "/drift.json"):
        answer = shop.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] != "no-referrer"
    for path in (path for path in TO_EACH if path not in FROM_TOPICS):
        found = Markup(ok(two_versions() if path in ("/models", "/compare", "/data") else shop, path))
        links = [str(value) for _, attributes in found.elements for name, value in attributes.items() if name in ("src", "href", "action")]
        assert links
        assert all(re.match(r"/|#", link) for link in links), links


def test_every_page_has_one_heading_a_language_and_labels(shop: Browser) -> None:
    for path in TO_EACH[:3]:
        found = Markup(ok(shop, path))
        assert [tag for tag, _ in found.elements].count("h1") == 1
        assert ("html", {"lang": "en"}) in found.elements
