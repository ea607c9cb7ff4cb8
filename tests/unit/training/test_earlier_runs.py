"""What a run is told of the runs before it comes from the record, and a run that is made again is told the same."""

from typing import Any

import msgspec
import pytest
from tests.unit.registry.commands import MODEL, NOW, WINDOW, folded, measured, move_alias, pins, promote, register_project, register_version
from tests.unit.training import jobs

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.model_files import FILES, Manifest, store_model, stored_files
from driftloop.contracts.commands import Command, Recalibrate, RegisterVersion
from driftloop.contracts.events import TrainingStarted
from driftloop.contracts.recalibration import Recalibration, RecalibrationProposal
from driftloop.contracts.values import Window
from driftloop.registry.state import ModelState
from driftloop.training.earlier_runs import earlier

CONTENTS = dict.fromkeys(FILES, b"{}")
NUMBERS = jobs.project(config=jobs.CONFIG.replace('"boolean"\nmetric = "roc_auc"', '"number"\nmetric = "r2"'))


def shift(by: float) -> Recalibration:
    return Recalibration(kind="shift", strength=1.0, shift=by)


def proposal(of: Any, by: float) -> RecalibrationProposal:
    return RecalibrationProposal(of=of, recalibration=shift(by), full=shift(by), window=WINDOW, rows=900, metric="r2")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def version(
    store: MemoryStore,
    n: int,
    against: int | None,
    *,
    aged: tuple[float, ...] = (),
    window: Window | None = None,
    **champion_and_candidate: float,
) -> RegisterVersion:
    """Version n, which a run against a champion made on the window, by default the n-th; the run proposed these shifts, and measured how
    its recipe ages."""
    judged = msgspec.structs.replace(pins(against=against), evaluation_window=window or jobs.window(n))
    manifest = Manifest(
        model=MODEL,
        request_id=f"r{n}",
        schema_fingerprint="0" * 64,
        recipe="all",
        rows=9,
        pins=judged,
        measurements=None if against is None else measured(against=against),
        environment={},
        files=stored_files(CONTENTS),
        recalibrations=tuple(proposal(of, by) for of, by in champion_and_candidate.items()) or msgspec.UNSET,
        aged={"newest": aged} if aged else msgspec.UNSET,
    )
    wish = register_version(f"r{n}", against=against)
    return msgspec.structs.replace(wish, manifest=store_model(store, manifest, CONTENTS), pins=judged)


def recalibrated(n: int, epoch: int, by: float, before: int = 0) -> Recalibrate:
    return Recalibrate(
        command_id=f"recalibrate-{n}-{by}",
        at=NOW,
        actor="ada",
        reason="the prices rose",
        model=MODEL,
        version=n,
        champion_epoch=epoch,
        expected_epoch=before,
        recalibration=shift(by),
    )


def model(*commands: Command) -> ModelState:
    project = msgspec.structs.replace(register_project(), stream_schema=NUMBERS.schema)
    state, outcomes = folded(project, *commands)
    assert all(outcome.accepted for outcome in outcomes), outcomes
    return state.models[MODEL]


def told(store: MemoryStore, state: ModelState, n: int, champion: int, epoch: int = 1, window: Window | None = None) -> dict[str, Any]:
    """What the run that makes version n, on the n-th window or another, is told."""
    pinned = msgspec.structs.replace(pins(epoch, champion), evaluation_window=window or jobs.window(n))
    return earlier(store, TrainingStarted(model=MODEL, request_id=f"r{n}", answers=(f"r{n}",), pins=pinned), state)


def test_the_champions_estimate_is_that_of_the_newest_run_against_it(store: MemoryStore) -> None:
    state = model(
        version(store, 1, None),
        promote("r1", epoch=0),
        version(store, 2, 1, champion=2.0, candidate=0.2),
        version(store, 3, 1, champion=3.0, candidate=0.3),
    )
    found = told(store, state, 4, champion=1)
    assert (found["recalibrated_before"].full, found["candidate_before"].full) == (shift(3.0), shift(0.3))
    assert found["measured_before"] == measured(against=1)
    assert found["champion_recalibration"] is None


def test_of_a_champion_that_was_just_promoted_it_is_what_its_own_run_said_of_it(store: MemoryStore) -> None:
    state = model(
        version(store, 1, None),
        promote("r1", epoch=0),
        version(store, 2, 1, champion=2.0, candidate=0.2),
        promote("r2", epoch=1, measured=measured(against=1)),
    )
    found = told(store, state, 3, champion=2, epoch=2)
    assert found["recalibrated_before"] == proposal("candidate", 0.2)
    assert "measured_before" not in found


def test_what_a_run_found_out_about_another_champion_is_passed_over(store: MemoryStore) -> None:
    state = model(
        version(store, 1, None),
        promote("r1", epoch=0),
        version(store, 2, 1, champion=2.0, candidate=0.2),
        promote("r2", epoch=1, measured=measured(against=1)),
        version(store, 3, 2, champion=3.0, candidate=0.3),
        move_alias(1, epoch=2, command_id="back"),
    )
    assert told(store, state, 4, champion=1, epoch=3)["recalibrated_before"] == proposal("champion", 2.0)


def test_runs_of_earlier_releases_have_found_out_nothing(store: MemoryStore) -> None:
    state = model(version(store, 1, None), promote("r1", epoch=0), version(store, 2, 1))
    assert set(told(store, state, 3, champion=1)) == {"champion_recalibration", "measured_before"}


def test_the_correction_in_force_is_the_pinned_champions(store: MemoryStore) -> None:
    first = [version(store, 1, None), promote("r1", epoch=0), recalibrated(1, 1, 5.0)]
    assert told(store, model(*first), 2, champion=1)["champion_recalibration"] == shift(5.0)
    moved = [*first, version(store, 2, 1), promote("r2", epoch=1, measured=measured(against=1))]
    assert told(store, model(*moved), 3, champion=2, epoch=2)["champion_recalibration"] is None
    back = [*moved, move_alias(1, epoch=2, command_id="back")]  # served without a correction again
    assert told(store, model(*back), 3, champion=1, epoch=3)["champion_recalibration"] is None


def test_a_run_that_is_made_again_is_told_what_it_was_told(store: MemoryStore) -> None:
    before = [
        version(store, 1, None),
        promote("r1", epoch=0),
        version(store, 2, 1, aged=(0.1,), champion=2.0, candidate=0.2),
        recalibrated(1, 1, 5.0),
    ]
    later = [
        version(store, 3, 1, aged=(0.1, 0.9), champion=3.0, candidate=0.3),
        recalibrated(1, 1, 6.0, before=1),
        version(store, 4, 1, champion=4.0, candidate=0.4),
    ]
    once, again = told(store, model(*before), 3, champion=1), told(store, model(*before, *later), 3, champion=1)
    assert once == again
    assert once["champion_recalibration"] == shift(5.0)
    assert once["recalibrated_before"].full == shift(2.0)
    assert once["aged_before"] == {"newest": (0.1,)}


def test_how_a_recipe_ages_is_known_from_the_newest_run_whichever_champion_came_of_it(store: MemoryStore) -> None:
    before = [version(store, 1, None), promote("r1", epoch=0), version(store, 2, 1, aged=(0.1,)), version(store, 3, 1, aged=(0.1, 0.2))]
    assert told(store, model(*before), 4, champion=1)["aged_before"] == {"newest": (0.1, 0.2)}
    moved = [*before, promote("r3", epoch=1, measured=measured(against=1))]
    assert told(store, model(*moved), 4, champion=3, epoch=2)["aged_before"] == {"newest": (0.1, 0.2)}


def test_a_window_that_is_judged_again_does_not_count_twice(store: MemoryStore) -> None:
    """A single change, asked for again and again, would soon be the rule; and it would be, too, for whoever became the champion by it."""
    first = [version(store, 1, None), promote("r1", epoch=0), version(store, 2, 1, aged=(0.1,))]
    again = [*first, *(version(store, n, 1, window=jobs.window(3), aged=(0.1, 0.9)) for n in (3, 4))]
    assert told(store, model(*again), 5, champion=1, window=jobs.window(3))["aged_before"] == {"newest": (0.1,)}
    promoted = [*again, promote("r4", epoch=1, measured=measured(against=1))]
    assert told(store, model(*promoted), 5, champion=4, epoch=2, window=jobs.window(3))["aged_before"] == {"newest": (0.1,)}
    assert told(store, model(*promoted), 5, champion=4, epoch=2, window=jobs.window(4))["aged_before"] == {"newest": (0.1, 0.9)}
    overlapping = Window(start=jobs.window(3).start + jobs.WINDOW / 2, end=jobs.window(4).end)  # of another plan
    assert told(store, model(*promoted), 5, champion=4, epoch=2, window=overlapping)["aged_before"] == {"newest": (0.1,)}
    assert "aged_before" not in told(store, model(*promoted), 5, champion=4, epoch=2, window=jobs.window(2))


def test_a_version_that_is_gone_is_passed_over(store: MemoryStore) -> None:
    gone = version(store, 3, 1, champion=3.0)
    kept = version(store, 2, 1, champion=2.0)
    store.delete(f"models/{MODEL}/{gone.manifest}/manifest.json")
    state = model(version(store, 1, None), promote("r1", epoch=0), kept, gone)
    assert told(store, state, 4, champion=1)["recalibrated_before"].full == shift(2.0)
