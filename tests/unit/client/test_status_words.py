"""`driftloop status` in words: each thing that an operator must know, from the metrics that the services export."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftloop.adapters.memory import MemoryBroker
from driftloop.client.samples import Samples, read_samples
from driftloop.client.status import quarantined
from driftloop.client.status_words import METRICS, Seen, Sentence, project_sentences, stack_sentences
from driftloop.contracts.gaps import LOST_END

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def metrics(text: str) -> Samples:
    return read_samples(text)


def seen(instance: str, text: str, *, before: str = "", project: str | None = "shop", **told: Any) -> Seen:
    return Seen(instance, project, told, metrics(before), metrics(text), 10.0)


def said(*instances: Seen, quarantine: int | None = 0) -> dict[str, Sentence]:
    """By the first word of each sentence."""
    return {s.says.partition(":")[0]: s for s in said_all(*instances, quarantine=quarantine)}


def said_all(*instances: Seen, quarantine: int | None = 0) -> list[Sentence]:
    return project_sentences("shop", instances, quarantine, NOW)


def offsets(durable: int, end: int, behind: float = 0, partition: int = 0) -> str:
    about = f'{{topic="shop.requests",partition="{partition}"}}'
    return f"driftloop_durable_offset{about} {durable}\ndriftloop_end_offset{about} {end}\ndriftloop_behind_seconds{about} {behind}\n"


def rows(count: int) -> str:
    return f'driftloop_rows_total{{topic="shop.requests"}} {count}\n'


def test_how_far_a_service_is_behind_and_how_fast_it_is_over_all_its_instances() -> None:
    first = seen("ingest-0", offsets(100, 1304) + rows(130), before=rows(100))
    second = seen("ingest-1", offsets(5, 5, partition=1) + rows(20), before=rows(20))
    assert said(first, second)["ingest"].says == "ingest: 1,204 messages behind, 3 rows/s"
    assert said(second)["ingest"] == Sentence(about="shop", says="ingest: at the end, 0 rows/s")


def test_a_service_that_was_started_between_the_two_looks_has_no_negative_speed() -> None:
    assert said(seen("ingest-0", rows(3), before=rows(100)))["ingest"].says.endswith("0 rows/s")


def test_a_partition_that_does_not_get_on_is_named_with_what_to_do() -> None:
    sentence = said(seen("monitor-0", offsets(1, 9, behind=300) + offsets(1, 9, behind=5, partition=1)))["monitor"]
    assert sentence.says == "monitor: 16 messages behind, 0 rows/s; shop.requests[0] has not got on for 5 min"
    assert sentence.act is not None


def test_a_topic_that_has_lost_its_end_is_nothing_to_accept() -> None:
    sentence = said(seen("ingest-0", "", gap=f"shop.labels-0 ends at 3, and 9 was to be read next: {LOST_END}"))["ingest"]
    assert "make it anew" in (sentence.act or "")
    assert "accept-gap" not in (sentence.act or "")


def test_a_service_that_stopped_at_a_gap_names_the_command() -> None:
    sentence = said(seen("ingest-0", "", gap="shop.labels-0: messages 3 to 9 are gone"))["ingest"]
    assert "messages 3 to 9 are gone" in sentence.says
    assert "driftloop lake accept-gap" in (sentence.act or "")


def test_a_service_that_does_not_answer_is_said_so() -> None:
    assert said(Seen("ingest-0", "shop", {}, None, None, 1.0))["ingest"].says == "ingest: does not answer"


@pytest.mark.parametrize(("count", "words"), [(0, "0 messages"), (1, "1 message"), (12, "12 messages")])
def test_messages_set_aside_in_the_last_hour(count: int, words: str) -> None:
    sentence = said(quarantine=count)["quarantine"]
    assert sentence.says == f"quarantine: {words} in the last hour"
    assert (sentence.act is not None) == (count > 0)


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_that_the_words_are_made_of_changes_them(name: str) -> None:
    """So that an alert-free metric is told somewhere."""
    labels = {"topic": "t", "partition": "0", "reason": "refused", "status": "422", "model": "m"}
    about = "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"

    def words(value: int) -> list[str]:
        samples = dict.fromkeys(METRICS, 100) | {"driftloop_end_offset": 20_000, name: value}
        text = "".join(f"{metric}{about} {found}\n" for metric, found in samples.items())
        return [sentence.says for sentence in said_all(seen("ingest-0", text, before="", policy=policy()))]

    assert words(150) != words(9000)


def test_unscored_late_early_and_refused_are_told_when_there_are_any() -> None:
    text = (
        'driftloop_unscored_rows_total{reason="refused"} 3\n'
        'driftloop_unscored_rows_total{reason="no-model"} 1000\n'
        'driftloop_too_late_rows{partition="0"} 5\ndriftloop_too_early_rows{partition="1"} 2\n'
        'driftloop_refused_calls_total{status="422"} 7\n'
    )
    found = said(seen("predictor-0", text))
    assert found["unscored rows since the start"].says.endswith("1,000 no-model, 3 refused")
    assert found["rows in no report"].says == "rows in no report: 5 too late, 2 too early"
    assert "allowed_lateness" in (found["rows in no report"].act or "")
    early = said(seen("predictor-0", 'driftloop_too_early_rows{partition="1"} 2\n'))["rows in no report"].act or ""
    assert "allowed_lateness" not in early, "it makes no row less early"
    assert 'clock = "replay"' in early
    assert found["HTTP"].says == "HTTP: refused since the start: 7 422"
    quiet = said(seen("predictor-0", ""))
    assert set(quiet) == {"predictor", "quarantine"}


def policy(**changes: Any) -> dict[str, Any]:
    told = {
        "last_decision": (NOW - timedelta(minutes=14)).isoformat(),
        "reason": "the window closed",
        "accepted": True,
        "budget": 50,
        "budget_period": "365d",
        "budget_left": 31,
        "budget_at_once": 31,
        "budget_kept": 0,
        "next_attempt": "2013-04-05T10:00:00Z",
        "overdue_seconds": 0,
    }
    return told | changes


def test_the_last_decision_and_the_budget() -> None:
    found = said(seen("monitor-0", "", policy=policy()))
    assert found["last decision 14 min ago"].says == "last decision 14 min ago: yes, the window closed"
    assert found["budget"] == Sentence(about="shop", says="budget: 31 of 50 attempts left in 365d")


def test_a_budget_that_is_spent_says_when_the_next_attempt_is_possible() -> None:
    found = said(seen("monitor-0", "", policy=policy(budget_left=640, budget_at_once=0, budget_kept=50)))["budget"]
    assert found.says == (
        "budget: 640 of 50 attempts left in 365d, 0 of them at once, 50 at once kept for drift and performance; "
        "the next is possible at 2013-04-05T10:00:00+00:00 (event time)"
    )
    assert "driftloop retrain" in (found.act or "")


def test_a_window_that_waits_too_long_for_its_decision_is_said_so() -> None:
    found = said(seen("monitor-0", "", policy=policy(overdue_seconds=7200)))
    assert "a closed window has waited 2 h longer for its decision than its labels may take" in found


@pytest.mark.parametrize("told", [None, {"of": "another release", "budget": "many"}])
def test_a_monitor_of_another_release_says_nothing_of_its_policy(told: Any) -> None:
    assert "budget" not in said(seen("monitor-0", "", policy=told))


def test_of_two_monitors_the_one_that_has_heard_more_is_believed() -> None:
    late = policy(last_decision=(NOW - timedelta(hours=3)).isoformat())
    assert "last decision 14 min ago" in said(seen("monitor-0", "", policy=late), seen("monitor-1", "", policy=policy()))


def test_a_service_that_is_not_ready_says_why_in_its_own_words() -> None:
    waits = "does not follow: registry"
    mine = seen("predictor-0", "")._replace(not_ready=waits)
    assert Sentence(about="shop", says=f"predictor-0: not ready: {waits}", act="see the log of predictor-0") in said_all(mine)
    shared = [seen("trainer-0", "", project=None)._replace(not_ready=waits), Seen("registry-0", None, {}, None, None, 1.0)]
    assert [s.says for s in stack_sentences(shared, {}, {})] == [f"trainer-0: not ready: {waits}", "registry-0: does not answer"]


def test_the_age_of_the_last_decision_is_the_metrics() -> None:
    told = 'driftloop_decision_age_seconds{model="m"} 7200\n'
    other = 'driftloop_decision_age_seconds{model="m"} NaN\n'
    assert "last decision 2 h ago" in said(seen("monitor-0", told, policy=policy()), seen("monitor-1", other))


def test_failed_runs_restarts_and_what_was_given_up() -> None:
    failure = {"model": "late", "request_id": "r1", "reason": "the pipeline raised ValueError"}
    trainer = seen("trainer-0", offsets(1, 2, behind=120), project=None, last_failure=failure)
    found = stack_sentences([trainer], {"predictor-0": 3, "kafka": 1}, {"ingest-0": "ingest-0 died 5 times"})
    assert [s.says for s in found] == [
        "trainer-0: shop.requests[0] has not got on for 2 min",
        "training: the run of late for request r1 failed: the pipeline raised ValueError",
        "kafka: started again 1 time",
        "predictor-0: started again 3 times",
        "ingest-0: given up: ingest-0 died 5 times",
    ]
    assert found[1].act == "driftloop models runs"


def test_only_what_was_quarantined_in_the_last_hour_is_counted() -> None:
    broker = MemoryBroker()
    broker.create_topic("shop.quarantine", 2)
    now = datetime.now(UTC)
    for age, partition in ((7200, 0), (3700, 1), (3000, 1), (5, 0)):
        at = int((now - timedelta(seconds=age)).timestamp() * 1000)
        broker.producer().send("shop.quarantine", b"x", partition=partition, timestamp_ms=at)
    assert quarantined(broker, "shop") == 2
    assert quarantined(broker, "bakery") is None


def test_messages_to_people_that_did_not_arrive_are_told() -> None:
    (found,) = stack_sentences([seen("notifier-0", "", project=None, dead=2)], {}, {})
    assert found.says == "notifier-0: 2 messages to people did not arrive"
    assert stack_sentences([seen("notifier-0", "", project=None, dead=0)], {}, {}) == []
