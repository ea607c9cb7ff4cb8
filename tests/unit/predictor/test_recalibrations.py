"""What is in force for the champion corrects every answer, at one place, without a model being loaded again."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from prometheus_client import REGISTRY
from tests.unit.predictor.samples import START, fitted, request_json, sample_project, store_sample_model
from tests.unit.predictor.test_class_probabilities import SCHEMA as SEVERAL
from tests.unit.predictor.test_class_probabilities import model as several_classes
from tests.unit.predictor.test_class_probabilities import requests as requests_of_several
from tests.unit.predictor.test_model import Away, Log, follower

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.scoring import Scorer
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH, Recalibration
from driftloop.contracts.schema import Feature
from driftloop.registry.fold import RegistryState
from driftloop.registry.persistent_map import PersistentMap
from driftloop.registry.records import RecalibrationRecord
from driftloop.rows import probabilities
from driftloop.rows.requests import RequestDecoder
from driftloop.rows.schemas import inference_schema, request_schema
from driftloop_predictor.last_good import POINTER, KeptModel
from driftloop_predictor.scored_rows import scored
from driftloop_predictor.serving import ScoringModel

PROJECT = sample_project("m")
LOGIT = Recalibration(kind="logit", strength=1.0, intercept=1.5, slope=0.5)
HALF = Recalibration(kind="logit", strength=0.5, intercept=0.75, slope=0.75)
PRIORS = Recalibration(kind="priors", strength=1.0, classes=("plum", "nobody knows"), weights=(50.0, 2.0))
SHIFT = Recalibration(kind="shift", strength=1.0, shift=-3.0)


class Corrected(Log):
    """A registry reader whose recalibrations a test puts in force."""

    def correct(self, recalibration: Recalibration | None, epoch: int, *, version: int = 1, champion_epoch: int = 1) -> None:
        record = RecalibrationRecord(
            epoch=epoch,
            version=version,
            champion_epoch=champion_epoch,
            recalibration=recalibration,
            since=START,
            by="ada",
            reason="r",
        )
        before = [msgspec.structs.replace(record, epoch=n) for n in range(1, epoch)]
        records = PersistentMap.of({each.epoch: each for each in (*before, record)})
        model = msgspec.structs.replace(self._state.models["m"], recalibrations=records)
        self._state = RegistryState(models={"m": model})


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def log(store: MemoryStore) -> Corrected:
    return Corrected([store_sample_model(store, PROJECT, seed) for seed in range(2)])


def sample_rows(n: int = 50) -> pa.Table:
    return RequestDecoder(PROJECT.schema).decode_batch([request_json(i) for i in range(n)], [None] * n).rows


def answered(serving: ScoringModel | None) -> pa.Table:
    return scored(sample_rows(), inference_schema(PROJECT.schema), serving, START, None).table


def numbers(table: pa.Table, name: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.asarray(table.column(name).to_pylist(), dtype=np.float64)


def binary(recalibration: Recalibration | None, epoch: int = 0) -> ScoringModel:
    return ScoringModel("m", 1, 1, "a" * 64, Scorer(fitted(), PROJECT.schema), epoch, recalibration)


def test_a_binary_answer_is_corrected_as_score_and_prediction_and_names_the_epoch() -> None:
    plain, corrected = answered(binary(None, 4)), answered(binary(LOGIT, 5))

    raw = numbers(plain, "score")
    expected = 1 / (1 + np.exp(-(1.5 + 0.5 * np.log(raw / (1 - raw)))))
    assert numbers(corrected, "score") == pytest.approx(expected, rel=1e-9)
    assert corrected.column("prediction").to_pylist() == (expected >= 0.5).tolist() != plain.column("prediction").to_pylist()
    assert corrected.column(RECALIBRATION_EPOCH).to_pylist() == [5] * 50
    assert plain.column(RECALIBRATION_EPOCH).null_count == 50  # 4 was the end of one


def test_of_several_classes_probabilities_score_and_prediction_go_together() -> None:
    rows, columns = requests_of_several(30), inference_schema(SEVERAL)
    model = ScoringModel("fruit", 1, 1, "a" * 64, Scorer(several_classes(), SEVERAL))
    plain = scored(rows, columns, model, START, None).table
    corrected = scored(rows, columns, model._replace(recalibration_epoch=2, recalibration=PRIORS), START, None).table

    probabilities.check(corrected)  # what every reader asks of them
    for before, after, prediction, score in zip(
        *(table.column("probabilities").to_pylist(maps_as_pydicts="strict") for table in (plain, corrected)),
        corrected.column("prediction").to_pylist(),
        corrected.column("score").to_pylist(),
        strict=True,
    ):
        weighted = {name: p * (50 if name == "plum" else 1) for name, p in before.items()}
        assert after == pytest.approx({name: p / sum(weighted.values()) for name, p in weighted.items()})
        assert after[prediction] == score == max(after.values())
    assert set(corrected.column("prediction").to_pylist()) == {"plum"} != set(plain.column("prediction").to_pylist())


def test_a_row_that_cannot_be_scored_has_no_corrected_answer_either() -> None:
    model = binary(LOGIT, 1)
    broken = sample_rows(4).set_column(6, "carrier", pa.array(["A", "never seen", "B", None]))
    strict = model._replace(scorer=Scorer(fitted(unknown="error"), PROJECT.schema))
    rows = scored(broken, inference_schema(PROJECT.schema), strict, START, None)

    assert 1 in rows.unscored
    assert rows.table.column("score")[1].as_py() is None
    assert rows.table.column("prediction")[1].as_py() is None
    assert rows.table.column("score")[0].as_py() == pytest.approx(numbers(answered(model), "score")[0])


def test_without_a_model_nothing_corrected_the_row() -> None:
    assert answered(None).column(RECALIBRATION_EPOCH).null_count == 50


def test_a_feature_that_has_the_columns_name_keeps_it() -> None:
    features = (*PROJECT.schema.features, Feature(name=RECALIBRATION_EPOCH, type="integer"))
    schema = msgspec.structs.replace(PROJECT.schema, features=features)
    rows = pa.Table.from_pylist([{"event_id": "e", "event_time": START, "recalibration_epoch": 77}], schema=request_schema(schema))
    table = scored(rows, inference_schema(schema), binary(LOGIT, 5), START, None).table

    assert inference_schema(schema).names.count(RECALIBRATION_EPOCH) == 1
    assert table.column(RECALIBRATION_EPOCH).to_pylist() == [77]


def test_what_is_in_force_is_taken_up_changed_and_ended_without_loading(store: MemoryStore, log: Corrected, tmp_path: Path) -> None:
    model = follower(log, store, tmp_path)
    model.catch_up()
    first = model.serving
    for key in [found.key for found in store.list("models/")]:
        store.delete(key)  # whatever is loaded from now on fails
    seen = []
    for epoch, recalibration in enumerate((LOGIT, HALF, None, LOGIT), 1):
        log.correct(recalibration, epoch)
        assert not model.up_to_date
        model.catch_up()
        assert model.serving is not None
        assert model.serving.scorer is first.scorer  # type: ignore[union-attr]
        assert model.up_to_date
        shown = REGISTRY.get_sample_value("driftloop_recalibration_epoch", {"model": "m"})
        seen.append((model.serving.recalibration, model.serving.corrected_by, shown))
    assert seen == [(LOGIT, 1, 1.0), (HALF, 2, 2.0), (None, None, 0.0), (LOGIT, 4, 4.0)]


def test_a_promotion_ends_it_and_an_older_place_is_never_taken_up(store: MemoryStore, log: Corrected, tmp_path: Path) -> None:
    model = follower(log, store, tmp_path)
    log.correct(LOGIT, 1)
    model.catch_up()
    log.champion(2, epoch=2)
    log.correct(LOGIT, 1)  # of version 1 at epoch 1 still: it is not in force
    model.catch_up()
    assert model.serving is not None
    assert (model.serving.place, model.serving.recalibration) == ((2, 1, 0), None)

    log.correct(HALF, 2, version=2, champion_epoch=2)
    model.catch_up()
    log.correct(None, 1)
    model.catch_up()
    assert model.serving.recalibration == HALF


def test_a_bad_champion_leaves_the_last_good_one_with_its_correction(store: MemoryStore, log: Corrected, tmp_path: Path) -> None:
    model = follower(log, store, tmp_path)
    log.correct(LOGIT, 1)
    model.catch_up()
    assert model.serving is not None
    before = answered(model.serving)
    for key in [found.key for found in store.list("models/")]:
        store.delete(key)
    log.champion(2, epoch=2)
    with pytest.raises(Exception, match="manifest"):
        model.catch_up()

    assert answered(model.serving).equals(before)


def test_a_start_from_disk_corrects_as_before(store: MemoryStore, log: Corrected, tmp_path: Path) -> None:
    model = follower(log, store, tmp_path)
    model.catch_up()
    log.correct(LOGIT, 1)
    model.catch_up()

    later = follower(log, Away(), tmp_path)
    later._take_kept()
    assert later.serving is not None
    assert answered(later.serving).equals(answered(model.serving))
    assert (later.serving.place, later.serving.recalibration) == ((1, 1, 0), LOGIT)


def test_a_pointer_of_a_release_before_recalibrations_is_read_as_none(store: MemoryStore, log: Corrected, tmp_path: Path) -> None:
    follower(log, store, tmp_path).catch_up()
    pointer = msgspec.json.decode((tmp_path / POINTER).read_bytes())
    old = {name: pointer[name] for name in ("model", "version", "epoch", "manifest")}
    (tmp_path / POINTER).write_bytes(msgspec.json.encode(old))

    later = follower(log, Away(), tmp_path)
    later._take_kept()
    assert later.serving is not None
    assert (later.serving.place, later.serving.recalibration) == ((1, 0, 0), None)
    assert msgspec.json.decode(msgspec.json.encode(old), type=KeptModel).recalibration is None
