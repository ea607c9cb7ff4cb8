"""docs/custom-estimators.md: the estimator that it shows goes into a model file and comes back, for who trusts it."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from driftloop.artifact import skops_file

PAGE = (Path(__file__).parents[3] / "docs" / "custom-estimators.md").read_text()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    [code] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "taxi_model").mkdir()
    (tmp_path / "taxi_model" / "__init__.py").touch()
    (tmp_path / "taxi_model" / "clipping.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "taxi_model"]:
        del sys.modules[name]


def test_it_is_stored_and_loaded_where_it_is_trusted_and_nowhere_else(package: None) -> None:
    from taxi_model.clipping import Clip

    [declared] = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    trusted = tomllib.loads(declared)["training"]["trusted_types"]
    random = np.random.default_rng(0)
    X, y = random.normal(size=(200, 3)), random.integers(0, 2, 200)
    files = [skops_file.dump(make_pipeline(Clip(), LogisticRegression()).fit(X, y)) for _ in range(2)]

    assert files[0] == files[1]
    with pytest.raises(skops_file.UntrustedTypes, match=r"taxi_model\.clipping\.Clip"):
        skops_file.load(files[0])
    loaded = skops_file.load(files[0], trusted)
    assert np.array_equal(loaded.predict_proba(X), make_pipeline(Clip(), LogisticRegression()).fit(X, y).predict_proba(X))
    assert list(loaded[:1].get_feature_names_out(["a", "b", "c"])) == ["a", "b", "c"]
