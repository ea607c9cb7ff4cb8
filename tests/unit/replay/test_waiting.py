"""Settling: it waits for each consequence of a window's end, and says what did not come."""

from collections.abc import Mapping

import pytest
from tests.unit.demo.world import MODEL, WINDOW, World, behind

from driftloop.errors import UserError
from driftloop.history.lake_lag import Lag
from driftloop.replay.waiting import Settling


def settling(world: World, *, epochs: tuple[int, ...] = (0,), failures: Mapping[str, str] | None = None) -> Settling:
    urls = {f"predictor-{i}": f"http://{i}" for i in range(len(epochs))}
    return Settling(
        model=MODEL,
        history=world.history,
        reader=world.reader,
        lag=world,
        registry=world,
        services={**urls, "monitor-0": "http://m"},
        logs={"predictor-0": "predictor.log", "ingest-0": "ingest.log", "monitor-0": "monitor.log", "registry-0": "registry.log"},
        failures=lambda: failures or {},
        alias_epoch=lambda url: epochs[int(url[-1])],
        patience_seconds=0.3,
    )


def test_a_window_without_retraining_settles_when_it_is_stored_and_decided() -> None:
    world = World()
    world.decide(accepted=False)

    assert settling(world).settle(WINDOW).accepted is False


def test_a_retraining_settles_when_its_version_is_judged_and_every_predictor_follows() -> None:
    world = World()
    world.decide(accepted=True, request_id="q")
    world.complete("q")
    world.register("q")
    world.promote("q")
    world.judge("q")

    assert settling(world, epochs=(1, 1)).settle(WINDOW).accepted
    assert settling(world, epochs=(1, 1)).champion() == (1, 1)


def test_a_promotion_that_this_process_has_not_read_yet_is_waited_for() -> None:
    world = World()
    world.complete("q")
    world.register("q")
    world.judge("q", epoch=1)  # the decision overtook the command: they are on two topics

    with pytest.raises(UserError, match="champion epoch 1 to show in the registry's log"):
        settling(world).until_run_is_judged("q")


def test_a_failed_run_settles_too() -> None:
    world = World()
    world.decide(accepted=True, request_id="q")
    world.fail("q")

    settling(world).settle(WINDOW)


def test_a_request_that_another_run_answers_is_judged_with_that_run() -> None:
    world = World()
    world.complete("first", answers=("second",))
    world.register("first")
    world.judge("first")

    settling(world).until_run_is_judged("second")


def test_lag_is_waited_for_and_named_with_the_log_to_look_into() -> None:
    world = World()
    world.lag = behind(0, 1204)

    with pytest.raises(UserError, match=r"1,204 labels behind; see .*ingest.log"):
        settling(world).until_stored()


def test_a_missing_decision_is_named() -> None:
    with pytest.raises(UserError, match=r"the decision on the window that ended 2013-03-01 00:00; see monitor.log"):
        settling(World()).settle(WINDOW)


def test_a_run_that_was_not_judged_is_waited_for() -> None:
    world = World()
    world.complete("q")

    with pytest.raises(UserError, match=r"the registry to judge the version of run q; see registry.log"):
        settling(world).until_run_is_judged("q")


def test_a_predictor_on_an_old_champion_is_waited_for() -> None:
    world = World()
    world.register("q")
    world.promote("q")

    with pytest.raises(UserError, match="predictor-1 to follow to champion epoch 1"):
        settling(world, epochs=(1, 0)).until_predictors_follow()


def test_a_service_that_was_given_up_on_ends_the_wait_at_once() -> None:
    world = World()
    world.lag = behind(1, 0)

    with pytest.raises(UserError, match="ingest-0 died 5 times"):
        settling(world, failures={"ingest-0": "ingest-0 died 5 times in a row"}).until_stored()


def test_patience_starts_again_with_every_sign_of_progress() -> None:
    world = World()
    steps = iter([500, 400, 300, 200, 100, 0])

    class Slow:
        def measure(self) -> Lag:
            return behind(next(steps), 0)

    patient = settling(world)
    patient._lag = Slow()
    patient.until_stored()  # takes six polls of 0.2 s, more than the patience of 0.3 s


def test_another_models_decisions_are_not_taken_for_ours() -> None:
    world = World()
    world.read_as("other")
    world.decide(accepted=False)

    with pytest.raises(UserError, match="the decision on the window"):
        settling(world).until_decided(WINDOW)
