"""Estimators of other libraries in pipelines: stored beside the skops file, checked, and the same again when they are loaded."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.artifact import estimators
from tests.unit.artifact.estimators import Case

from driftloop.artifact import pipeline_files, skops_file
from driftloop.artifact.composition import Composition
from driftloop.artifact.estimators import library as library_module
from driftloop.artifact.estimators.libraries import BY_NAME, LIBRARIES
from driftloop.artifact.estimators.preparing import prepare
from driftloop.artifact.estimators.stored import StoredEstimator
from driftloop.artifact.model_files import MODEL
from driftloop.artifact.named_classes import NamedClasses
from driftloop.contracts.estimator_files import ESTIMATOR_LIBRARIES, FORMATS, file_name, format_of_file
from driftloop.errors import IntegrityError, UserError

CASES = [case for name in sorted(BY_NAME) for case in estimators.cases(name)]
FIRST = {case.name.partition("-")[0]: case for case in reversed(CASES)}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


def answers(model: Any, frame: pd.DataFrame) -> Any:
    return model.predict_proba(frame) if hasattr(model, "predict_proba") else model.predict(frame)


def about(model: Any, **changes: Any) -> dict[str, Any]:
    """What a StoredEstimator says of itself, with changes to it or to its part ``fitted``."""
    plain, _ = skops_of(model)
    told: dict[str, Any] = msgspec.json.decode(plain.about)
    for name, value in changes.items():
        place = told if name in told else told["fitted"]
        place[name] = value
    return told


def skops_of(model: Any) -> tuple[StoredEstimator, dict[str, bytes]]:
    files = pipeline_files.dump(model)
    stored = skops_file.load(files.pop(MODEL))
    assert type(stored) is StoredEstimator
    return stored, files


def with_about(told: dict[str, Any], files: dict[str, bytes]) -> dict[str, bytes]:
    return {MODEL: skops_file.dump(StoredEstimator(msgspec.json.encode(told).decode())), **files}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_loaded_answers_as_what_was_stored_and_is_stored_in_the_same_bytes(case: Case) -> None:
    model = case.fitted()
    files = pipeline_files.dump(model)
    library = case.name.partition("-")[0]
    assert set(files) == {MODEL, file_name(library, 1)}
    again = pipeline_files.load(files)
    assert type(again) is type(model)
    assert np.array_equal(answers(again, case.frame), answers(model, case.frame))
    assert np.array_equal(again.predict(case.frame), model.predict(case.frame))
    assert pipeline_files.dump(again) == files
    assert not [name for name in skops_file.types_in(files[MODEL]) if name.partition(".")[0] in BY_NAME]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_second_fit_with_the_same_seed_and_threads_gives_the_same_bytes(case: Case) -> None:
    first = pipeline_files.dump(case.fitted(threads=2))
    again = next(again for again in estimators.cases(case.name.partition("-")[0]) if again.name == case.name)
    assert pipeline_files.dump(again.fitted(threads=2)) == first


def test_several_of_them_anywhere_in_a_pipeline_and_in_a_mean() -> None:
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    frame, target = estimators.rows(), estimators.labels(estimators.rows(), "multiclass")
    members = []
    for model in (LGBMClassifier(n_estimators=3), NamedClasses(XGBClassifier(n_estimators=3))):
        pipeline = make_pipeline(make_column_transformer((OrdinalEncoder(), ["colour"]), remainder="passthrough"), model)
        prepare(pipeline, 3, 1)
        last = pipeline.steps[-1][0]
        members.append(pipeline.fit(frame, target, **{f"{last}__sample_weight": np.linspace(0.1, 1, len(frame))}))
    mean = Composition(members=tuple(members), timed=(False, False), last_time=0.0)
    files = pipeline_files.dump(mean)
    assert sorted(files) == ["lightgbm-1.txt", MODEL, "xgboost-2.json"] or sorted(files) == ["lightgbm-2.txt", MODEL, "xgboost-1.json"]
    again = pipeline_files.load(files)
    assert again.classes_.tolist() == ["never", "often", "sometimes"]
    assert np.array_equal(again.predict_proba(frame), mean.predict_proba(frame))
    assert type(mean.members[0].steps[-1][1]) is LGBMClassifier  # storing left the pipeline as it was


def test_an_estimator_that_is_not_fitted_is_stored_without_a_file() -> None:
    from sklearn.calibration import CalibratedClassifierCV

    case = FIRST["lightgbm"]
    model = CalibratedClassifierCV(case.estimator.set_params(n_jobs=1, verbose=-1), cv=2, method="sigmoid").fit(case.frame, case.labels)
    files = pipeline_files.dump(model)
    assert len(files) == 3  # two fitted ones, and the one that they were made from
    again = pipeline_files.load(files, ["sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration"])
    assert again.estimator.get_params()["n_estimators"] == 8
    assert np.array_equal(again.predict_proba(case.frame), model.predict_proba(case.frame))


def test_a_pipeline_without_them_is_one_file_as_ever() -> None:
    model = make_pipeline(OrdinalEncoder()).fit(estimators.rows()[["colour"]])
    assert pipeline_files.dump(model) == {MODEL: skops_file.dump(model)}


@pytest.mark.parametrize(
    ("library", "parameters", "said"),
    [
        ("lightgbm", {"objective": lambda _y, _p: (0, 1)}, "no plain number, word"),
        ("lightgbm", {"machine_list_filename": "/etc/passwd"}, "none of those that driftloop stores"),
        ("lightgbm", {"boosting_type": "gbdt config=/etc/passwd"}, "no plain number, word"),
        ("lightgbm", {"device": "gpu"}, "stored for the CPU"),
        ("xgboost", {"callbacks": [object()]}, "none of those that driftloop stores"),
        ("xgboost", {"device": "cuda"}, "stored for the CPU"),
        ("catboost", {"task_type": "GPU"}, "stored for the CPU"),
        ("catboost", {"train_dir": "/tmp/elsewhere"}, "none of those that driftloop stores"),
        ("catboost", {"input_borders": "borders.tsv"}, "none of those that driftloop stores"),
    ],
)
def test_a_parameter_that_names_a_file_a_device_or_a_function_is_refused_before_the_fit(
    library: str, parameters: dict[str, Any], said: str
) -> None:
    estimator = type(FIRST[library].estimator)(**parameters)
    with pytest.raises(UserError, match=said):
        prepare(make_pipeline(estimator), 0, 1)


@pytest.mark.parametrize("library", sorted(BY_NAME))
def test_such_a_parameter_in_a_file_is_refused_too(library: str) -> None:
    model = FIRST[library].fitted()
    _, files = skops_of(model)
    for parameters in ({"train_dir": "/tmp"}, {"config": "/etc/passwd"}, {"objective": "a\nb"}, {"n_jobs": 64}, {"device": "cuda"}):
        with pytest.raises(IntegrityError, match="not to be loaded"):
            pipeline_files.load(with_about(about(model, parameters=parameters), files))


@pytest.mark.parametrize("library", sorted(BY_NAME))
def test_files_that_are_not_the_pipelines_are_refused(library: str) -> None:
    model = FIRST[library].fitted()
    stored, files = skops_of(model)
    name, data = next(iter(files.items()))
    skops = {MODEL: skops_file.dump(stored)}
    for wrong, said in [
        ({}, "needs the files"),
        ({name: data, file_name(library, 2): data}, "needs the files"),
        ({name: data[:-1]}, "not the file that was stored"),
        ({name: data + b"\n"}, "not the file that was stored"),
    ]:
        with pytest.raises(IntegrityError, match=said):
            pipeline_files.load(skops | wrong)


@pytest.mark.parametrize("library", sorted(BY_NAME))
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"library": "os"}, "does not load"),
        ({"type": "Booster"}, "does not load"),
        ({"file": "../secret.txt"}, "in a file"),
        ({"n_features": 2}, "another number of features|not in order"),
        ({"n_features": 10**9}, "without features"),
        ({"classes": [False, "a"]}, "several types"),
        ({"classes": [True, False]}, "not in order"),
        ({"classes": ["a", "b", "c"]}, "another number of classes"),
        ({"classes": None}, "not for what its pipeline predicts|other metadata"),
    ],
)
def test_what_a_file_says_of_an_estimator_has_to_agree_with_its_model(library: str, change: dict[str, Any], said: str) -> None:
    model = FIRST[library].fitted()
    _, files = skops_of(model)
    told = about(model, **change)
    if library == "xgboost" and change == {"classes": None}:
        told["type"] = "XGBRegressor"
        return  # of two classes its numbers are a regressor's, too
    with pytest.raises(IntegrityError, match=said):
        pipeline_files.load(with_about(told, files))


def test_types_of_these_libraries_are_not_trusted_in_a_skops_file_whoever_says_so() -> None:
    data = skops_file.dump(FIRST["lightgbm"].fitted())
    with pytest.raises(skops_file.UntrustedTypes, match=r"lightgbm\.sklearn\.LGBMClassifier"):
        skops_file.load(data, ["lightgbm.sklearn.LGBMClassifier", "lightgbm.basic.Booster", "collections.defaultdict"])


def test_an_estimator_left_in_a_skops_file_is_no_model() -> None:
    stored, _ = skops_of(FIRST["lightgbm"].fitted())
    with pytest.raises(IntegrityError, match=r"needs the files lightgbm-1\.txt, and has none"):
        pipeline_files.load({MODEL: skops_file.dump(make_pipeline(stored))})


def test_the_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    files = pipeline_files.dump(FIRST["lightgbm"].fitted())
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UserError, match=r"lightgbm is not installed here: pip install 'driftloop\[lightgbm\]'"):
        pipeline_files.load(files)


def test_scoring_takes_the_threads_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, threads in [("3", 3), ("3,2", 3), ("0", 1), ("many", 1), (None, 1)]:
        monkeypatch.delenv("OMP_NUM_THREADS") if given is None else monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert library_module.scoring_threads() == threads
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert pipeline_files.load(pipeline_files.dump(FIRST["xgboost"].fitted(threads=2))).get_params()["n_jobs"] == 3


def test_each_library_has_its_row_in_both_tables() -> None:
    assert sorted(library.name for library in LIBRARIES) == sorted(ESTIMATOR_LIBRARIES) == sorted(row.library for row in FORMATS)
    for name in ("lightgbm-1.json", "lightgbm-0.txt", "lightgbm-1000.txt", "model.skops", "x-lightgbm-1.txt", "lightgbm-1.txt/.."):
        assert format_of_file(name) is None


def test_the_same_pipeline_gives_the_same_bytes_in_another_process() -> None:
    script = (
        "import hashlib\nfrom tests.unit.artifact import estimators\nfrom driftloop.artifact import pipeline_files\n"
        "for name in ('catboost', 'lightgbm', 'xgboost'):\n"
        "    files = pipeline_files.dump(estimators.cases(name)[1].fitted())\n"
        "    print(*(hashlib.sha256(data).hexdigest() for data in files.values()))\n"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True)
    here = [pipeline_files.dump(estimators.cases(name)[1].fitted()) for name in ("catboost", "lightgbm", "xgboost")]
    assert done.stdout.split() == [hashlib.sha256(data).hexdigest() for files in here for data in files.values()]


def test_damaged_files_are_errors_and_end_no_process() -> None:
    """Three hundred changes a library, each loaded and scored with if nothing refuses it."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.unit.artifact.damaged_estimators", "100", "11"]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=4 * PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-200:]
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted(BY_NAME)
