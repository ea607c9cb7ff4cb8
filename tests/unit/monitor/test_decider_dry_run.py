"""A policy that is a dry run tells every decision and asks for nothing."""

import msgspec
from tests.unit.monitor.decider_bench import PROJECT, Bench

from driftloop.contracts.topics import DECISIONS, RETRAIN_REQUESTS
from driftloop.project.rules import Policy


def test_a_dry_run_says_what_it_would_ask_for_and_asks_for_nothing():
    project = msgspec.structs.replace(PROJECT, policy=Policy(min_new_labels=50, dry_run=True))
    bench = Bench(project=project)
    bench.step(0, 1)
    told = bench.events(DECISIONS)
    assert [(d.accepted, d.request_id, d.evidence["dry_run"], d.evidence["trigger"]) for d in told] == [(False, None, True, "window")] * 2
    assert told[0].reason == "dry run, nothing is asked for: the window closed"
    assert bench.events(RETRAIN_REQUESTS) == []


def test_when_the_dry_run_is_over_the_next_window_asks():
    bench = Bench(project=msgspec.structs.replace(PROJECT, policy=Policy(min_new_labels=50, dry_run=True, cooldown="9h")))
    bench.step(0)
    bench.project = msgspec.structs.replace(PROJECT, policy=Policy(min_new_labels=50, cooldown="9h"))
    bench.restart()
    bench.step(0, 1)
    assert [d.accepted for d in bench.events(DECISIONS)] == [False, True]
    assert len(bench.events(RETRAIN_REQUESTS)) == 1
