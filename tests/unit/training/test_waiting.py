from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from tests.unit.registry.commands import measured

from driftloop.contracts.values import GateMeasurements, Window
from driftloop.training.waiting import KEPT, with_earlier

START = datetime(2024, 1, 1, tzinfo=UTC)


def on_window(n: int, gain: float, against: int = 1) -> GateMeasurements:
    window = Window(start=START + timedelta(days=n), end=START + timedelta(days=n + 1))
    found = measured(against=against)
    return msgspec.structs.replace(found, window=window, gain=gain, candidate=found.champion + gain, gain_error=0.01)


def chain(*found: GateMeasurements) -> GateMeasurements:
    before = None
    for each in found:
        before = with_earlier(each, before)
    assert before is not None
    return before


def test_gains_add_up_since_the_promotion() -> None:
    last = chain(on_window(1, 0.01), on_window(2, -0.005), on_window(3, 0.02))
    assert last.waited == pytest.approx(0.025)
    assert [each.gain for each in last.earlier] == [0.01, -0.005]


def test_a_new_champion_starts_from_nothing() -> None:
    last = chain(on_window(1, 0.01), on_window(2, 0.02, against=2))
    assert (last.earlier, last.waited) == ((), 0.02)


def test_a_window_that_is_judged_again_counts_once_with_its_last_measurement() -> None:
    last = chain(on_window(1, 0.01), on_window(2, 0.02), on_window(2, 0.03))
    assert last.waited == pytest.approx(0.04)
    assert [each.gain for each in last.earlier] == [0.01]


def test_a_run_on_an_older_window_leaves_out_what_came_after_it() -> None:
    last = chain(on_window(1, 0.01), on_window(2, 0.02), on_window(1, 0.015))
    assert (last.earlier, last.waited) == ((), pytest.approx(0.015))


def test_measurements_of_an_earlier_release_say_nothing_about_waiting() -> None:
    old = msgspec.structs.replace(measured(against=1), window=on_window(1, 0).window)
    last = with_earlier(on_window(2, 0.02), old)
    assert (last.earlier, last.waited) == ((), 0.02)


def test_only_the_newest_windows_are_named_and_all_of_them_count() -> None:
    last = chain(*(on_window(n, 0.001) for n in range(KEPT + 10)))
    assert len(last.earlier) == KEPT
    assert last.waited == pytest.approx(0.001 * (KEPT + 10))
