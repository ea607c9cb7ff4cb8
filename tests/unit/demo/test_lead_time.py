"""Lead time: stages from the events' own times, for versions that made it and versions that did not."""

from tests.unit.demo.world import MODEL, NOON, WINDOW, World, after

from driftloop.demo.lead_time import VersionStory, version_stories


def told(world: World, first_prediction: dict[int, float] | None = None) -> list[VersionStory]:
    world.reader.sync()
    first = {version: after(seconds) for version, seconds in (first_prediction or {}).items()}
    return version_stories(world.state().models[MODEL], world.history, {WINDOW: NOON}, first)


def live_through(world: World, request_id: str, *, begin: float, gain: float = 0.1) -> None:
    world.decide(accepted=True, request_id=request_id, seconds=begin + 1)
    world.request(request_id, begin + 1.5)
    world.start(request_id, begin + 2)
    world.complete(request_id, seconds=begin + 7)
    world.register(request_id, begin + 7.5)
    world.promote(request_id, begin + 8, gain=gain)
    world.judge(request_id, begin + 8.1)


def test_each_stage_lasts_from_the_moment_before_it() -> None:
    world = World()
    live_through(world, "q", begin=0)
    (story,) = told(world, {1: 10})

    assert story.promoted
    assert story.lead_seconds == 10
    assert story.stages == {
        "decided": 1,
        "requested": 0.5,
        "started": 0.5,
        "completed": 5,
        "registered": 0.5,
        "promoted": 0.5,
        "first_prediction": 2,
    }


def test_stages_add_up_to_the_lead_time() -> None:
    world = World()
    live_through(world, "q", begin=3)
    (story,) = told(world, {1: 20.25})

    assert sum(story.stages.values()) == story.lead_seconds == 20.25


def test_a_refused_version_has_no_lead_time_and_says_why() -> None:
    world = World()
    live_through(world, "q", begin=0)
    world.register("worse", 30)
    world.promote("worse", 31, gain=-0.1)
    world.judge("worse", 31)
    first, second = told(world, {1: 10})

    assert first.promoted
    assert not second.promoted
    assert second.lead_seconds is None
    assert "promoted" not in second.moments


def test_a_version_that_never_scored_has_no_lead_time() -> None:
    world = World()
    live_through(world, "q", begin=0)
    (story,) = told(world)

    assert story.lead_seconds is None
    assert story.stages["promoted"] == 0.5
