"""*Performance* by segment, and what each window meant as a strip."""

from typing import Any

import msgspec
import numpy as np
import pytest
from bench.console_events import about, loop, performance, segment, window
from tests.unit.console.desk import Browser, console, record_of

from driftloop.contracts.events import PerformanceReported
from driftloop.contracts.values import WindowAnswer
from driftloop_console.pages.strip import BLOCKS, strip
from driftloop_console.performance_table import ANSWERS, Answers
from driftloop_console.segment_table import MAX_SEGMENTS, Segment, SegmentTable

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def shop() -> Browser:
    return console(record_of(loop(200, 4, 2)))


def of(client: Browser, path: str = "/performance", **asked: Any) -> Any:
    answer = client.get(f"{path}.json", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def told(n: int, *segments: Any, revision: int = 0) -> PerformanceReported:
    return msgspec.structs.replace(performance(n, None, RNG), segments=segments, revision=revision)


def test_segments_are_held_against_all_rows_the_worst_first(shop: Browser) -> None:
    found = of(shop)["segments"]
    assert [(each["feature"], each["name"]) for each in found] == [("region", "south"), ("region", "without a value"), ("region", "north")]
    assert [round(each["gap"], 3) for each in found] == [-0.04, -0.01, 0.02]
    assert (found[0]["windows"], found[0]["coverage"], len(found[0]["picture"])) == (200, 0.95, 60)
    page = shop.get("/performance").text
    assert "Segments" in page
    assert 'class="picture"' in page
    one = of(shop, **{"from": window(10).start.isoformat()[:16], "to": window(12).start.isoformat()[:16]})
    assert {each["windows"] for each in one["segments"]} == {2}


def test_a_segment_that_a_window_has_not_and_one_that_comes_late_have_no_value_there() -> None:
    table = SegmentTable()
    table.add(told(0, segment("a", 0.5)))
    table.add(told(1, segment("b", 0.6)))
    table.add(told(1, segment("b", 0.9), revision=2))
    table.add(told(1, segment("b", 0.1), revision=1))  # what it corrects has come before it
    assert table.names == [Segment("region", "a", False), Segment("region", "b", False)]
    assert table.cells("rows", slice(0, 2)).tolist() == [[300, 0], [0, 300]]
    assert table.cells("value", slice(1, 2))[0, 1] == np.float32(0.9)
    again = SegmentTable()
    again.restore(table.stored())
    assert again.stored() == table.stored()


def test_segments_that_a_stranger_makes_up_are_bounded_and_text() -> None:
    table = SegmentTable()
    table.add(told(0, *(segment(f"{n}{EVIL}", 0.5) for n in range(MAX_SEGMENTS + 50))))
    assert len(table.names) == MAX_SEGMENTS
    few = told(0, *(segment(f"{n}{EVIL}", 0.5) for n in range(3)))
    client = console(record_of([(few, about(few, "e", 0))]))
    page = client.get("/performance").text
    assert "<script>alert" not in page
    assert of(client)["segments"][0]["name"] == f"0{EVIL}"


def test_the_strip_tells_the_worst_of_each_block_and_joins_neighbours(shop: Browser) -> None:
    found = of(shop)["strip"]
    assert found["counts"] == {"calm": 190, "harmful-drift": 10}
    assert [(block["answer"], block["windows"]) for block in found["blocks"]] == [
        *(("calm", 50), ("harmful-drift", 5), ("calm", 95), ("harmful-drift", 5), ("calm", 45)),
    ]
    assert [line["label"] for line in found["lines"]] == ["v1", "v2"]
    assert shop.get("/performance").text.count("<rect") == 5
    assert of(shop, "/drift")["strip"] == found
    assert {each["answer"] for each in of(shop, "/drift")["newest"]} == {"calm"}
    assert of(shop, "/feature", feature="f0")["newest"][0]["answer"] == "calm"


def test_a_strip_of_many_windows_has_bounded_blocks_and_loses_no_harm() -> None:
    n = 100_000
    starts = np.arange(n) * 1000
    codes = np.where(np.arange(n) % 2, ANSWERS.index("benign-drift"), ANSWERS.index("calm"))
    codes[777] = ANSWERS.index("harmful-drift")
    found = strip(Answers(starts, starts + 1000, codes))
    assert found is not None
    assert len(found["blocks"]) <= BLOCKS
    assert sum(block["windows"] for block in found["blocks"]) == n
    assert [block["answer"] for block in found["blocks"]].count("harmful-drift") == 1


def test_the_answer_of_a_window_is_that_of_the_version_that_scored_most_of_it() -> None:
    most, few = (performance(0, version, RNG) for version in (1, 2))
    quiet = WindowAnswer(answer="silent-decay", reason="", harm_known=True)
    few = msgspec.structs.replace(few, rows=960, answer=quiet)
    whole = performance(0, None, RNG)
    client = console(record_of([(event, about(event, str(n), 0)) for n, event in enumerate((whole, most, few))]))
    assert of(client)["strip"]["counts"] == {"calm": 1}
    assert of(client)["newest"][0]["answer"] == "calm"


def test_without_segments_the_page_says_how_to_declare_some() -> None:
    bare = msgspec.structs.replace(performance(0, None, RNG), segments=msgspec.UNSET)
    assert "segments = [" in console(record_of([(bare, about(bare, "b", 0))])).get("/performance").text
