"""What strangers ask of the trainer: models that nobody has registered."""

from driftloop.contracts.events import TrainingCompleted, TrainingFailed


def test_made_up_models_get_an_answer_each_and_one_metric_together(world):
    with world.trainer() as trainer:
        asked = [world.request(model=f"{world.name}-made-up-{n}") for n in range(20)]
        outcomes = [world.ended(request_id) for request_id in asked]
        mine = world.ended(world.request())
        series = [line for line in trainer.metrics().splitlines() if line.startswith("driftloop_trainings_total")]

    assert all(isinstance(outcome, TrainingFailed) and "no project is registered" in outcome.reason for outcome in outcomes)
    assert isinstance(mine, TrainingCompleted)
    assert sorted(series) == [
        'driftloop_trainings_total{model="other",outcome="failed"} 20.0',
        f'driftloop_trainings_total{{model="{world.name}",outcome="completed"}} 1.0',
    ]
