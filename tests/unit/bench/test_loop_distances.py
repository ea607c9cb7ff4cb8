import numpy as np
import pyarrow as pa
import pytest
from bench.loop.distances import KEPT, LEAST, mmd2, points, quantile_of_past


def fired(distances: list[float]) -> list[int]:
    fires = quantile_of_past(lambda w, _fitted: distances[w - 1])
    return [w for w in range(1, len(distances) + 1) if fires(w, 0)]


def test_a_distance_above_almost_all_before_it_is_a_trigger() -> None:
    assert fired([0.2, 0.1, 0.3, 0.2, 0.31, 0.1]) == [5]


def test_a_few_distances_are_no_scale_to_judge_by() -> None:
    assert fired([0.1] * (LEAST - 1) + [9.0]) == []
    assert fired([0.1] * LEAST + [9.0]) == [LEAST + 1]


def test_only_the_last_distances_are_kept() -> None:
    assert fired([9.0, 9.0] + [0.1] * KEPT + [0.5]) == [KEPT + 3]


def test_a_sample_is_at_no_distance_from_itself_and_further_from_what_has_moved_further() -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=(100, 3))
    near, far = (mmd2(a, random.normal(size=(100, 3)) + shift) for shift in (0.0, 1.0))
    assert mmd2(a, a) == pytest.approx(0.0, abs=1e-12)
    assert far > 5 * near


def test_points_that_are_all_the_same_are_at_no_distance() -> None:
    assert mmd2(np.ones((5, 2)), np.ones((4, 2))) == 0.0


def test_rows_become_points_on_the_scale_of_the_reference() -> None:
    reference = pa.table({"x": [1.0, 3.0], "k": ["a", "b"], "flat": [7, 7]})
    table = pa.table({"x": [None, 5.0, 2.0], "k": ["b", "new", None], "flat": [7, 8, None]})
    theirs, ours = points(reference, table, {"x": "number", "k": "category", "flat": "integer"})
    half = np.sqrt(0.5)
    assert theirs == pytest.approx(np.array([[-1, half, 0, 0], [1, 0, half, 0]]))
    assert ours == pytest.approx(np.array([[0, 0, half, 0], [3, 0, 0, 1], [0, 0, 0, 0]]))


def test_a_column_without_a_value_tells_nothing_apart() -> None:
    reference = pa.table({"x": pa.array([None, None], pa.float64())})
    theirs, ours = points(reference, pa.table({"x": pa.array([None, 1.0], pa.float64())}), {"x": "number"})
    assert np.isfinite(theirs).all()
    assert np.isfinite(ours).all()
