"""What is drawn from a seed."""

from bench.chaos.faults import KINDS, LONG_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, schedule

TARGETS = ["kafka", "s3", "registry-0", "predictor-0", "predictor-1"]


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    assert schedule(7, 60, TARGETS) == schedule(7, 60, TARGETS)
    assert schedule(7, 60, TARGETS) != schedule(8, 60, TARGETS)


def test_every_target_is_killed_and_paused_before_any_is_hit_again_in_that_way() -> None:
    for seconds in (1, 60, 600):
        drawn = schedule(1, seconds, TARGETS)
        first = drawn[: len(TARGETS) * len(KINDS)]
        assert {(fault.target, fault.kind) for fault in first} == {(target, kind) for target in TARGETS for kind in KINDS}


def test_faults_come_in_order_and_within_the_time() -> None:
    times = [fault.at for fault in schedule(3, 600, TARGETS)]
    assert times == sorted(times)
    assert all(0 <= time < 600 for time in times)
    assert len(times) == 120  # one in five seconds


def test_a_short_run_pauses_past_the_session_timeout_and_a_long_one_past_the_delivery_timeout() -> None:
    short, long = ([f.seconds for f in schedule(5, seconds, TARGETS) if f.kind == "pause"] for seconds in (120, 6000))
    assert LONG_PAUSE_SECONDS < max(short) <= LONG_PAUSE_SECONDS + 3
    assert 60 < max(long) <= LONGEST_PAUSE_SECONDS
    assert min(short) > 0
    assert {f.seconds for f in schedule(5, 120, TARGETS) if f.kind == "kill"} == {0.0}


def test_without_targets_there_is_nothing_to_draw() -> None:
    assert schedule(1, 60, []) == []
