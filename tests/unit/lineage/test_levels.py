"""How closely a rebuilt version matches, and what differs between two environments."""

import msgspec
import pytest

from driftloop.contracts.values import Difference
from driftloop.training.environment_difference import differences
from driftloop.training.job import Agreement
from driftloop.training.levels import level_of, reaches

SAME = {"model.skops": True, "profile.json": True, "card.md": True, "lineage.json": True}
OTHER = SAME | {"model.skops": False}
AGREED = Agreement(rows=100, metric="roc_auc", recorded_metric=0.7, rebuilt_metric=0.7)
ENVIRONMENT = {
    "python": "3.11.9",
    "packages": {"numpy": "2.3.5", "scikit-learn": "1.9.0"},
    "cpu_features": ["AVX2", "SSE"],
    "thread_pools": [
        {"internal_api": "openblas", "version": "0.3.30", "architecture": "Haswell", "num_threads": 2},
        {"internal_api": "openmp", "version": None, "architecture": None, "num_threads": 2},
    ],
    "threads": {"OMP_NUM_THREADS": "2"},
    "hash_seed": "0",
}


def agreed(**changes):
    return msgspec.structs.replace(AGREED, **changes)


@pytest.mark.parametrize(
    ("files", "agreement", "level"),
    [
        (SAME, AGREED, "bytes"),
        (SAME, None, "bytes"),
        ({}, None, "none"),
        (OTHER, AGREED, "predictions"),
        (SAME | {"card.md": False}, AGREED, "predictions"),
        (OTHER, agreed(largest_score_difference=1e-6), "predictions"),
        (OTHER, agreed(largest_score_difference=1.1e-6), "metrics"),
        (OTHER, agreed(differing=1), "metrics"),
        (OTHER, agreed(differing=1, rebuilt_metric=0.7009), "metrics"),
        (OTHER, agreed(differing=1, rebuilt_metric=0.7011), "none"),
        (OTHER, agreed(differing=1, rebuilt_metric=None), "none"),
        (OTHER, agreed(error="the recorded model cannot be loaded"), "none"),
        (OTHER, None, "none"),
    ],
)
def test_the_closest_level_that_matched_is_named(files, agreement, level):
    assert level_of(files, agreement) == level


def test_a_closer_level_reaches_a_wider_one_and_not_the_other_way_round():
    assert reaches("bytes", "metrics")
    assert reaches("metrics", "metrics")
    assert not reaches("metrics", "predictions")
    assert not reaches("none", "metrics")


def test_equal_environments_differ_in_nothing():
    assert differences(ENVIRONMENT, msgspec.json.decode(msgspec.json.encode(ENVIRONMENT))) == ()


def test_packages_threads_cpu_and_kernel_are_named_with_both_sides():
    now = msgspec.json.decode(msgspec.json.encode(ENVIRONMENT))
    now["packages"] = {"numpy": "2.4.0", "scikit-learn": "1.9.0", "scipy": "1.16.0"}
    now["cpu_features"] = ["AVX512F", "SSE"]
    now["threads"]["OMP_NUM_THREADS"] = "1"
    now["thread_pools"][0]["architecture"] = "SkylakeX"
    now["thread_pools"][1]["num_threads"] = 1
    now["gpu"] = "none"
    assert differences(ENVIRONMENT, now) == (
        Difference(what="package numpy", recorded="2.3.5", now="2.4.0"),
        Difference(what="package scipy", recorded=None, now="1.16.0"),
        Difference(what="setting OMP_NUM_THREADS", recorded="2", now="1"),
        Difference(what="CPU features", recorded="AVX2", now="AVX512F"),
        Difference(what="kernel of openblas", recorded="Haswell", now="SkylakeX"),
        Difference(what="threads of openmp", recorded="2", now="1"),
        Difference(what="gpu", recorded=None, now="none"),
    )
