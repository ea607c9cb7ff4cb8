import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from sklearn.cluster import Birch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.unit.artifact import models

from driftloop.artifact import archive_limits, skops_file
from driftloop.artifact.scoring import to_frame
from driftloop.errors import IntegrityError, UserError

DIGESTS = """
import hashlib
from sklearn.feature_extraction.text import CountVectorizer
from driftloop.artifact import skops_file
from tests.unit.artifact import models
with_a_set = CountVectorizer(stop_words={f"word{i}" for i in range(50)})
for model in (models.boosting(), models.forest(), with_a_set):
    print(hashlib.sha256(skops_file.dump(model)).hexdigest())
"""


def digests_in_a_new_process(hash_seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", DIGESTS], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_separate_processes_write_the_same_bytes_for_the_same_model():
    assert digests_in_a_new_process("1") == digests_in_a_new_process("4242")


def test_a_stored_model_predicts_what_it_predicted_before():
    frame = to_frame(models.rows(50, seed=1), models.SCHEMA)
    for model in (models.boosting(), models.forest()):
        again = skops_file.load(skops_file.dump(model))
        assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))


def test_a_pickle_is_refused_before_anything_is_built():
    with pytest.raises(IntegrityError, match="no zip archive"):
        skops_file.load(pickle.dumps(models.SCHEMA))


class Boom:
    def __reduce__(self):
        return (os.system, ("touch /should/never/happen",))


def test_a_pickle_inside_an_array_is_refused():
    array = io.BytesIO()
    np.save(array, np.array([Boom()], dtype=object), allow_pickle=True)
    with pytest.raises(IntegrityError, match="Python objects"):
        skops_file.load(rewritten(skops_file.dump(models.boosting()), {"1.npy": array.getvalue()}))


def test_a_zip_bomb_is_refused_from_its_directory():
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * 20_000_000)
    with pytest.raises(IntegrityError, match="times its size"):
        skops_file.load(bomb.getvalue())


def test_an_array_that_claims_more_than_it_has_is_refused_before_it_is_allocated():
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**44,)})
    with pytest.raises(IntegrityError, match="claims another size"):
        skops_file.load(rewritten(skops_file.dump(models.boosting()), {"1.npy": header.getvalue() + b"\0" * 8}))


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 100), ("MAX_UNPACKED_BYTES", 100), ("MAX_ENTRIES", 3)])
def test_the_caps_hold(monkeypatch, limit, value):
    data = skops_file.dump(models.boosting())
    monkeypatch.setattr(archive_limits, limit, value)
    with pytest.raises(IntegrityError, match=r"more than"):
        skops_file.load(data)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PK\x03\x04" + b"\0" * 200], ids=["empty", "header", "zeros"])
def test_rubbish_is_refused(data):
    with pytest.raises(IntegrityError):
        skops_file.load(data)


def test_a_deeply_nested_schema_is_refused():
    nested = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    with pytest.raises(IntegrityError):
        skops_file.load(rewritten(skops_file.dump(models.boosting()), {"schema.json": nested}))


def test_unknown_types_are_named_and_nothing_is_loaded():
    data = skops_file.dump(make_pipeline(FunctionTransformer(os.path.basename)))
    with pytest.raises(skops_file.UntrustedTypes, match=r"posixpath\.basename") as refused:
        skops_file.load(data)
    assert refused.value.types == ("posixpath.basename",)


def test_a_type_that_the_project_trusts_is_loaded():
    data = skops_file.dump(make_pipeline(FunctionTransformer(os.path.basename)))
    assert skops_file.load(data, ["posixpath.basename"]).steps[0][1].func is os.path.basename


def test_what_cannot_be_stored_is_the_users_to_put_right():
    with pytest.raises(UserError, match="cannot store"):
        skops_file.dump(make_pipeline(Birch()))


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10**6), ("right", 0), ("feature_idx", 99), ("bitset_idx", 10**6)], ids=lambda v: str(v)
)
def test_a_tree_that_points_outside_is_refused(field, value):
    model = models.boosting()
    nodes = model.steps[-1][1]._predictors[0][0].nodes
    inner = np.flatnonzero((nodes["is_leaf"] == 0) & ((nodes["is_categorical"] == 1) | (field != "bitset_idx")))
    nodes[field][inner[0]] = value
    with pytest.raises(IntegrityError, match="points outside"):
        skops_file.load(skops_file.dump(model))


def test_a_tree_of_a_forest_that_points_outside_is_refused():
    model = models.forest()
    tree = model.steps[-1][1].estimators_[0].tree_
    tree.feature[0] = 99
    with pytest.raises(IntegrityError, match="outside the features"):
        skops_file.load(skops_file.dump(model))


def test_a_tree_that_no_known_estimator_checks_is_refused():
    model = models.boosting()
    stray = make_pipeline(FunctionTransformer(kw_args={"tree": model.steps[-1][1]._predictors[0][0]}))
    with pytest.raises(IntegrityError, match="outside an estimator"):
        skops_file.load(skops_file.dump(stray))


def test_boosting_with_categories_from_the_dtype_needs_no_trusted_types():
    table = models.rows()
    frame = to_frame(table, models.SCHEMA)
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype").fit(frame, table.column("label").to_numpy())
    assert np.array_equal(skops_file.load(skops_file.dump(model)).predict(frame), model.predict(frame))


def rewritten(data: bytes, changes: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, changes.get(name, archive.read(name)))
        assert set(changes) <= set(archive.namelist())
        assert json.loads(archive.read("schema.json"))
    return out.getvalue()
