"""From a request to a stored version, or to a failure in words."""

import time

from tests.integration.trainer.harness import members
from tests.unit.training import jobs

from driftloop.artifact.model_files import load_model
from driftloop.contracts.events import TrainingCompleted, TrainingFailed
from driftloop.lake.snapshot import load_snapshot
from driftloop.statistics.profile import Profile


def test_the_first_version_is_stored_verified_and_announced(world):
    with world.trainer():
        run = world.ended(world.request())
    assert isinstance(run, TrainingCompleted)
    assert (run.recipe, run.measurements, run.pins.champion_version, run.pins.champion_epoch) == ("all", None, None, 0)
    loaded = load_model(world.store, world.name, run.manifest, world.project.schema, ())
    assert loaded.scorer.score(jobs.rows(1).slice(0, 5))[1].null_count == 0
    assert Profile.decode(loaded.profile_bytes).rows == run.rows
    assert load_snapshot(world.store, world.name, run.pins.snapshot).content.end == jobs.window(2).end
    assert [s.pins for s in world.started()] == [run.pins] == [loaded.manifest.pins]


def test_a_later_version_is_measured_against_the_champion_on_the_requested_window(world):
    with world.trainer():
        first = world.ended(world.request())
        world.make_champion(first, 1, 0)
        world.fill_lake(4)
        run = world.ended(world.request(jobs.window(3)))
    assert (run.measurements.champion_version, run.measurements.window) == (1, jobs.window(3))
    assert (run.pins.champion_version, run.pins.champion_epoch) == (1, 1)
    assert 100 < run.measurements.rows < 200  # of 300: half of the keys judge, the others have chosen
    assert {c.recipe for c in run.candidates} == {"all", "last:1"}


def test_a_second_run_on_the_window_that_made_the_champion_measures_it_on_rows_that_it_was_not_fitted_on(world):
    with world.trainer():
        first = world.ended(world.request())
        world.make_champion(first, 1, 0)
        run = world.ended(world.request())
    assert run.pins.evaluation_window == first.pins.evaluation_window == jobs.window(2)
    assert run.measurements.judged_on == "held-out"
    assert 0 < run.measurements.rows < 60  # a tenth of the window's keys, not its 300 rows


def test_without_a_window_the_newest_closed_one_is_judged(world):
    world.fill_lake(4, mark=jobs.window(2).end)  # the fourth has begun
    with world.trainer():
        run = world.ended(world.request())
    assert run.pins.evaluation_window == jobs.window(2)


def test_a_project_that_looks_back_one_window_pins_no_more(world):
    world.register(candidates='["last:1"]')
    with world.trainer():
        first = world.ended(world.request())
        world.make_champion(first, 1, 0)
        world.fill_lake(4)
        run = world.ended(world.request(jobs.window(3)))
    assert (run.recipe, run.measurements.window, run.measurements.rows) == ("last:1", jobs.window(3), 300)
    pinned = load_snapshot(world.store, world.name, run.pins.snapshot).content
    assert (pinned.start, pinned.end) == (jobs.window(2).start, jobs.window(3).end)
    assert run.rows < 300  # of the window itself, but for those held out


def test_a_pipeline_that_raises_fails_in_words_and_the_next_request_is_served(world):
    world.register("def build():\n    raise ZeroDivisionError('oops')\n")
    with world.trainer() as trainer:
        failed = world.ended(world.request())
        world.register()
        run = world.ended(world.request())
        assert trainer.process.poll() is None
    assert isinstance(failed, TrainingFailed)
    assert "ZeroDivisionError: oops" in failed.reason
    assert "pipeline.py" in failed.detail
    assert isinstance(run, TrainingCompleted)


def test_a_request_for_an_unknown_model_and_one_without_data_fail_in_words(world):
    with world.trainer():
        unknown = world.ended(world.request(model=f"{world.name}-x"))
    assert "no project is registered" in unknown.reason


def test_requests_that_wait_are_answered_by_one_run_on_the_newest_window(world):
    ids = [world.request(jobs.window(n)) for n in (0, 2, 1)]
    with world.trainer():
        run = world.ended(ids[-1])
        assert world.ended(ids[0]) == run
    assert run.answers == tuple(ids)
    assert run.pins.evaluation_window == jobs.window(2)
    assert len(world.runs()) == 2


def test_a_training_that_outlasts_the_poll_interval_keeps_its_membership(world, kafka_bootstrap):
    world.hold.touch()
    with world.trainer(MAX_POLL_INTERVAL_SECONDS="2") as trainer:
        request_id = world.request()
        trainer.wait_for(lambda: trainer.status()["running"] == request_id and world.started(), "the run to start")
        before = members(kafka_bootstrap)
        time.sleep(6)  # three poll intervals
        assert len(world.runs()) == 1  # it has started and not ended
        assert members(kafka_bootstrap) == before != set()
        world.hold.unlink()
        world.ended(request_id)
        trainer.wait_for(lambda: trainer.status()["running"] is None, "the run to be over")
    assert len(world.runs()) == 2
