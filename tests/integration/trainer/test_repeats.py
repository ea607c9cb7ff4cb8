"""I6: a request gives at most one version, however often it is delivered and whatever happens in between."""

import signal

import pytest
from tests.integration.trainer.harness import processes_of

from driftloop.contracts.events import TrainingCompleted


def test_a_request_delivered_twice_gives_one_run_and_one_manifest(world):
    with world.trainer():
        request_id = world.request()
        run = world.ended(request_id)
        world.request(id=request_id)
        marker = world.ended(world.request())  # handled after the repeat
    assert [r.request_id for r in world.runs(TrainingCompleted)] == [request_id, marker.request_id]
    assert run.manifest in world.manifests()


def test_a_trainer_killed_in_mid_training_is_followed_by_one_that_keeps_the_pins(world):
    world.hold.touch()
    with world.trainer() as trainer:
        request_id = world.request()
        trainer.wait_for(lambda: processes_of(world.folder), "the training process to run")
        pins = world.started()[0].pins
        trainer.kill()
    trainer.wait_for(lambda: not processes_of(world.folder), "the orphan to end")
    world.fill_lake(4)  # what arrives meanwhile is not in the pins
    world.hold.unlink()
    with world.trainer():
        run = world.ended(request_id)
    assert run.pins == pins
    assert len(world.started()) == len(world.runs(TrainingCompleted)) == len(world.manifests()) == 1


@pytest.mark.parametrize("point", ["after-pin", "after-store", "after-event"])
def test_a_crash_at_any_step_gives_one_version_in_the_end(world, point):
    request_id = world.request()
    with world.trainer(DRIFTLOOP_CRASH_POINT=f"trainer.{point}") as trainer:
        assert trainer.wait() == -signal.SIGKILL
    with world.trainer() as trainer:
        run = world.ended(request_id)
        marker = world.ended(world.request())
    completed = [r for r in world.runs(TrainingCompleted) if r.request_id == request_id]
    assert completed == [run]
    assert [s.pins for s in world.started() if s.request_id == request_id] == [run.pins]
    assert world.manifests() == {run.manifest, marker.manifest}


def test_a_stop_in_mid_training_ends_in_time_and_leaves_the_request_unanswered(world):
    world.hold.touch()
    with world.trainer() as trainer:
        request_id = world.request()
        trainer.wait_for(lambda: processes_of(world.folder), "the training process to run")
        trainer.signal(signal.SIGTERM)
        assert trainer.wait() == 0  # 1, had it not ended in its ten seconds
        assert not processes_of(world.folder)
    assert len(world.runs()) == 1  # started
    world.hold.unlink()
    with world.trainer():
        assert isinstance(world.ended(request_id), TrainingCompleted)


def test_two_trainers_at_work_on_one_request_store_one_manifest(world):
    """A paused twin wakes up after its peer has taken over."""
    world.hold.touch()
    with world.trainer("trainer-0") as twin:
        request_id = world.request()
        twin.wait_for(lambda: processes_of(world.folder / "state" / "trainer-0"), "the twin to train")
        twin.signal(signal.SIGSTOP)
        with world.trainer("trainer-1") as peer:
            peer.wait_for(lambda: processes_of(world.folder / "state" / "trainer-1"), "the peer to take over")
            world.hold.unlink()
            run = world.ended(request_id)
            twin.signal(signal.SIGCONT)
            twin.wait_for(lambda: twin.status()["running"] is None, "the twin to end its run")
    assert world.manifests() == {run.manifest}
    assert len(world.started()) == 1
    assert {(r.request_id, r.manifest) for r in world.runs(TrainingCompleted)} == {(request_id, run.manifest)}
