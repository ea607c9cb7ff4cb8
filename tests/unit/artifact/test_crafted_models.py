"""Model files that no scikit-learn writes, each made for one weak place of what reads them."""

import io
import warnings
import zipfile

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from tests.unit.artifact import models

from driftloop.artifact import skops_file
from driftloop.artifact.archive_limits import check_archive
from driftloop.errors import IntegrityError


def archive(compression: int, *names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile says that a name comes twice
        for name in names:
            file.writestr(name, b"{}")
    return data.getvalue()


def test_an_entry_that_comes_twice_is_refused_for_readers_differ_in_which_they_take() -> None:
    check_archive(archive(zipfile.ZIP_STORED, "schema.json", "1.json"))
    with pytest.raises(IntegrityError, match="names an entry twice"):
        check_archive(archive(zipfile.ZIP_STORED, "schema.json", "schema.json"))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_whose_ratio_has_no_bound_is_refused(compression: int) -> None:
    with pytest.raises(IntegrityError, match="compressed in an unexpected way"):
        check_archive(archive(compression, "schema.json"))


def test_a_tree_of_another_width_than_its_forest_is_refused() -> None:
    """The forest checks the width of its input once; the tree would read beyond each row."""
    model = models.forest()
    forest = model.steps[-1][1]
    wide = np.random.default_rng(0).random((50, forest.n_features_in_ + 5))
    forest.estimators_[0] = RandomForestClassifier(n_estimators=1, random_state=0).fit(wide, wide[:, -1] > 0.5).estimators_[0]
    with pytest.raises(IntegrityError, match="another width"):
        skops_file.load(skops_file.dump(model))


def test_a_tree_that_splits_a_number_by_category_is_refused() -> None:
    """The number would be taken for the position of a bit."""
    model = models.boosting()
    boosting = model.steps[-1][1]
    categorical = np.zeros(boosting.n_features_in_, dtype=bool) | (boosting._bin_mapper.is_categorical_ != 0)
    nodes = boosting._predictors[0][0].nodes
    inner = np.flatnonzero((nodes["is_leaf"] == 0) & ~categorical[nodes["feature_idx"]])
    nodes["is_categorical"][inner[0]] = 1
    nodes["bitset_idx"][inner[0]] = 0
    with pytest.raises(IntegrityError, match="splits a number by category"):
        skops_file.load(skops_file.dump(model))
