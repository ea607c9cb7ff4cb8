"""A canary answers its share of the entities, each row says by which rule, and a start goes on with it."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.unit.predictor.samples import START, fitted, request_json, sample_project, store_sample_model
from tests.unit.predictor.test_model import Away, Log, follower

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.model_files import MODEL, model_key
from driftloop.artifact.scoring import Scorer
from driftloop.contracts.canary import VERSION_RULE, Rule
from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.schema import Feature
from driftloop.errors import IntegrityError, TransientError
from driftloop.registry.fold import RegistryState
from driftloop.registry.persistent_map import PersistentMap
from driftloop.registry.records import CanaryRecord
from driftloop.rows.canary_hash import of_canary
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import inference_schema, request_schema
from driftloop_predictor.said_who import who_answered
from driftloop_predictor.scored_rows import scored
from driftloop_predictor.serving import CanaryModel, ScoringModel

PROJECT = sample_project("m")
LOGIT = Recalibration(kind="logit", strength=1.0, intercept=1.5, slope=0.5)
N = 400
HALF = 5000


class WithCanaries(Log):
    """A registry reader whose canary a test moves: its version 2, beside the champion of epoch 1."""

    def step(self, *shares: int) -> None:
        records = [
            CanaryRecord(
                epoch=n, version=2, champion_epoch=1, step=share and n, steps=("1 %",), share=share, state="next", began=1, since=START,
                by="ada", reason="r",
            )
            for n, share in enumerate(shares, 1)
        ]  # fmt: skip
        model = msgspec.structs.replace(self._state.models["m"], canaries=PersistentMap.of({r.epoch: r for r in records}))
        self._state = RegistryState(models={"m": model})


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def manifests(store: MemoryStore) -> list[str]:
    return [store_sample_model(store, PROJECT, seed) for seed in range(2)]


@pytest.fixture
def log(manifests: list[str]) -> WithCanaries:
    return WithCanaries(manifests)


def rows(n: int = N) -> pa.Table:
    return RequestDecoder(PROJECT.schema).decode_batch([request_json(i, entity=f"entity {i % 150}") for i in range(n)], [None] * n).rows


def answered(serving: ScoringModel | None) -> pa.Table:
    return scored(rows(), inference_schema(PROJECT.schema), serving, START, pa.array(range(N), pa.int64())).table


def pair(share: int = HALF) -> ScoringModel:
    canary = CanaryModel(2, 3, share, "b" * 64, Scorer(fitted(seed=1), PROJECT.schema))
    return ScoringModel("m", 1, 4, "a" * 64, Scorer(fitted(), PROJECT.schema), 5, LOGIT, 3, canary)


def test_each_row_is_answered_by_its_side_in_its_place_and_says_by_which_rule() -> None:
    both = answered(pair())
    mask = of_canary(rows(), "m", 2, HALF)
    alone = answered(pair()._replace(canary=None))
    theirs = answered(ScoringModel("m", 2, 9, "b" * 64, Scorer(fitted(seed=1), PROJECT.schema)))

    assert 0.3 < mask.mean() < 0.7
    assert both.column("request_offset").to_pylist() == list(range(N))
    assert both.column("model_version").to_numpy().tolist() == np.where(mask, 2, 1).tolist()
    assert set(zip(both.column("model_version").to_pylist(), both.column(VERSION_RULE).to_pylist(), strict=True)) == {
        (1, "champion@4 beside canary 50 %@3"),
        (2, "canary 50 %@3"),
    }
    for name in ("prediction", "score"):
        expected = [t if m else a for m, a, t in zip(mask, *(x.column(name).to_pylist() for x in (alone, theirs)), strict=True)]
        assert both.column(name).to_pylist() == expected
    assert both.column("recalibration_epoch").to_pylist() == [None if m else 5 for m in mask]  # what corrects the champion's answers
    assert alone.column(VERSION_RULE).to_pylist() == ["champion@4"] * N
    assert answered(None).column(VERSION_RULE).null_count == N


def test_nobody_and_everybody() -> None:
    assert set(answered(pair(0)).column("model_version").to_pylist()) == {1}
    everybody = answered(pair(10_000))
    assert set(everybody.column("model_version").to_pylist()) == {2}
    assert everybody.column("request_offset").to_pylist() == list(range(N))


def test_a_row_that_a_side_cannot_score_is_told_at_its_own_place() -> None:
    broken = rows(40).set_column(6, "carrier", pa.array(["never seen" if i % 2 else "A" for i in range(40)]))
    strict = Scorer(fitted(unknown="error"), PROJECT.schema)
    serving = pair()
    assert serving.canary is not None
    serving = serving._replace(scorer=strict, canary=serving.canary._replace(scorer=strict))
    found = scored(broken, inference_schema(PROJECT.schema), serving, START, None)

    assert sorted(found.unscored) == list(range(1, 40, 2))
    assert found.table.column("prediction").is_null().to_pylist() == [bool(i % 2) for i in range(40)]


def test_a_feature_that_has_the_columns_name_keeps_it() -> None:
    features = (*PROJECT.schema.features, Feature(name=VERSION_RULE, type="category"))
    schema = msgspec.structs.replace(PROJECT.schema, features=features)
    one = pa.Table.from_pylist([{"event_id": "e", "event_time": START, VERSION_RULE: "mine"}], schema=request_schema(schema))
    assert scored(one, inference_schema(schema), pair(), START, None).table.column(VERSION_RULE).to_pylist() == ["mine"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("champion@4", Rule("champion", None, 4)),
        ("champion@4 beside canary 0.5 %@3", Rule("champion", 3, 4)),
        ("canary 0.5 %@3", Rule("canary", 3, None)),
        ("canary", None),
        ("canary 10 %@3 or so", None),
        ("", None),
    ],
)
def test_a_rule_is_read_as_it_is_written(text: str, rule: Rule | None) -> None:
    assert Rule.read(text) == rule


def test_an_answer_says_who_gave_it_to_which_rows() -> None:
    found = scored(rows(), inference_schema(PROJECT.schema), pair(), START, None)
    said = who_answered(pair(), found)
    mask = of_canary(rows(), "m", 2, HALF)
    assert (said["version"], said["digest"]) == (None, None)
    assert [(part["version"], part["rule"], part["recalibration_epoch"]) for part in said["answered_by"]] == [
        (1, "champion@4 beside canary 50 %@3", 5),
        (2, "canary 50 %@3", None),
    ]
    assert said["answered_by"][1]["rows"] == np.flatnonzero(mask).tolist()

    one = scored(rows(1), inference_schema(PROJECT.schema), pair(10_000), START, None)
    assert (who_answered(pair(10_000), one)["version"], who_answered(pair(10_000), one)["digest"]) == (2, "b" * 64)


def test_it_begins_moves_on_and_ends_as_the_log_says(store: MemoryStore, log: WithCanaries, tmp_path: Path) -> None:
    model = follower(log, store, tmp_path)
    model.catch_up()
    seen = []
    for shares in ((100,), (100, 1000), (100, 1000, 0), (100, 1000, 0, 5000)):
        log.step(*shares)
        assert not model.up_to_date
        model.catch_up()
        assert model.up_to_date
        assert model.serving is not None
        canary = model.serving.canary
        seen.append(None if canary is None else (canary.version, canary.share, canary.epoch))
    assert seen == [(2, 100, 1), (2, 1000, 2), None, (2, 5000, 4)]

    log.champion(2, epoch=2)
    model.catch_up()
    assert model.serving.canary is None
    assert model.serving.rule == "champion@2"


def test_one_that_cannot_be_had_leaves_everybody_to_the_champion(
    store: MemoryStore, log: WithCanaries, manifests: list[str], tmp_path: Path
) -> None:
    model = follower(log, store, tmp_path)
    model.catch_up()
    store.put(model_key("m", manifests[1], MODEL), b"not what its name says")
    log.step(5000)
    with pytest.raises(IntegrityError):
        model.catch_up()
    assert model.serving is not None
    assert model.serving.canary is None
    assert set(answered(model.serving).column(VERSION_RULE).to_pylist()) == {"champion@1"}
    assert not model.up_to_date
    model.catch_up()  # refused for a while, and not fetched again

    log.champion(2, epoch=2)
    log.champion(1, epoch=3)
    model.catch_up()
    assert model.serving.epoch == 3


def test_a_start_from_disk_answers_every_entity_as_before(store: MemoryStore, log: WithCanaries, tmp_path: Path) -> None:
    model = follower(log, store, tmp_path)
    log.step(5000)
    model.catch_up()
    later = follower(log, Away(), tmp_path)
    later._take_kept()
    assert later.serving is not None
    assert answered(later.serving).equals(answered(model.serving))
    assert later.up_to_date


def test_a_start_waits_for_it_rather_than_give_its_entities_to_the_champion(store: MemoryStore, log: WithCanaries, tmp_path: Path) -> None:
    model = follower(log, store, tmp_path)
    model.catch_up()
    log.step(5000)
    assert model._canary_to_come
    model._store = Away()
    with pytest.raises(TransientError):
        model.catch_up()
    assert model._canary_to_come
    model._store = store
    model.catch_up()
    assert not model._canary_to_come
