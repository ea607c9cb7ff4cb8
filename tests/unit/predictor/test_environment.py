"""A champion that was fitted with other packages than those that would score it."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.predictor.samples import sample_project, store_sample_model
from tests.unit.predictor.test_model import Log

from driftloop import metrics
from driftloop.adapters.memory import MemoryStore
from driftloop.contracts.values import Difference
from driftloop.project.model import Serving
from driftloop.training.environment import PACKAGES, describe_environment
from driftloop.training.parity import SCORING_PACKAGES, further_packages, parity, scoring_environment
from driftloop_predictor.last_good import KeptModel, LastGood
from driftloop_predictor.model import EnvironmentDiffers, ModelFollower

HERE = scoring_environment()
OTHER = HERE | {"packages": HERE["packages"] | {"numpy": "1.0.0"}}
DIFFERENCE = Difference(what="package numpy", recorded="1.0.0", now=HERE["packages"]["numpy"])
WARNS = sample_project("m")
REFUSES = msgspec.structs.replace(WARNS, serving=Serving(environment="refuse"))


def follower(project, store: MemoryStore, log: Log, folder: Path) -> ModelFollower:
    return ModelFollower(project, reader=log, store=store, last_good=LastGood(folder, KeptModel))


def gauge() -> float:
    return metrics.ENVIRONMENT_DIFFERENCES.labels("m")._value.get()


def test_a_training_process_and_a_predictor_of_one_installation_are_the_same() -> None:
    found = parity(describe_environment(), HERE)
    assert found.same
    assert found.here == found.trained
    assert set(SCORING_PACKAGES) <= set(PACKAGES)


@pytest.mark.parametrize(
    "change",
    [{"python": HERE["python"] + ".99"}, {"threads": {"OMP_NUM_THREADS": "7"}}, {"cpu_features": ["NEON"]}, {"hash_seed": "1"}],
)
def test_what_cannot_change_a_score_is_not_compared(change) -> None:
    assert parity(HERE | change, HERE).same


@pytest.mark.parametrize("change", [{"python": "3.8.1"}, {"system": "Linux riscv64"}, {"packages": {}}, {"implementation": "PyPy"}])
def test_what_may_change_a_score_is_compared(change) -> None:
    found = parity(HERE | change, HERE)
    assert not found.same
    assert found.here != found.trained


def test_packages_of_the_projects_trusted_types_are_recorded_and_compared() -> None:
    trained = describe_environment(["click.core.Option", "sklearn.tree._tree.Tree", "its_own_module.Thing"])
    assert set(trained["packages"]) == {*PACKAGES, "click"}
    assert further_packages(trained) == ("click",)
    assert parity(trained, scoring_environment(["click"])).same

    absent = parity(
        trained | {"packages": trained["packages"] | {"no-such-package": "2.0"}}, scoring_environment(["click", "no-such-package"])
    )
    assert absent.differences == (Difference(what="package no-such-package", recorded="2.0", now=None),)


def test_another_environment_is_taken_up_with_a_warning_unless_the_project_refuses(tmp_path: Path) -> None:
    store = MemoryStore()
    model = follower(WARNS, store, Log([store_sample_model(store, WARNS, environment=OTHER)]), tmp_path)
    model.catch_up()
    assert model.serving is not None
    assert model.environment is not None
    assert model.environment.differences == (DIFFERENCE,)
    assert gauge() == 1


def test_a_refused_environment_leaves_the_last_good_model_in_service(tmp_path: Path) -> None:
    store = MemoryStore()
    log = Log([store_sample_model(store, REFUSES, 0), store_sample_model(store, REFUSES, 1, environment=OTHER)])
    model = follower(REFUSES, store, log, tmp_path)
    model.catch_up()
    assert gauge() == 0
    log.champion(2, epoch=2)
    with pytest.raises(EnvironmentDiffers, match=f"package numpy 1.0.0 in training, {HERE['packages']['numpy']} here"):
        model.catch_up()
    assert model.serving is not None
    assert (model.serving.version, model.serving.epoch) == (1, 1)
    assert gauge() == 1
    assert not model.up_to_date


def test_a_kept_model_of_another_environment_is_refused_at_start_too(tmp_path: Path) -> None:
    store = MemoryStore()
    log = Log([store_sample_model(store, WARNS, environment=OTHER)])
    follower(WARNS, store, log, tmp_path).catch_up()  # kept on disk under a project that only warned
    model = follower(REFUSES, store, log, tmp_path).start()
    try:
        assert model.serving is None
        assert "fitted in another environment" in (model.last_error or "")
    finally:
        model.stop()
