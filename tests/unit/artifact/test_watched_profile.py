"""What rows of a version that is served elsewhere are compared with: the chosen stretch, but for another version's scores."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from driftloop.adapters.memory import MemoryStore
from driftloop.artifact.watched_profile import watched_profile
from driftloop.contracts.schema import Feature, StreamSchema, Target
from driftloop.contracts.values import Window
from driftloop.contracts.watched import Reference, Watched, reference_key
from driftloop.errors import IntegrityError
from driftloop.statistics.histograms import build_profile
from driftloop.statistics.profile import SCORE
from driftloop.stored import sha256_of

SCHEMA = StreamSchema(stream="s", features=(Feature(name="x", type="number"),), target=Target(name="y", type="boolean"))
WINDOW = Window(start=datetime(2026, 4, 1, tzinfo=UTC), end=datetime(2026, 5, 1, tzinfo=UTC))
BYTES = build_profile(pa.table({"x": [1.0, 2.0, 3.0]}), np.array([0.1, 0.2]), SCHEMA, 64).encode()
REFERENCE = Reference(window=WINDOW, rows=3, profile=sha256_of(BYTES), served_as="v7")


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.put(reference_key("m", REFERENCE.profile), BYTES)
    return made


def test_the_version_that_was_meant_is_compared_with_its_scores_too(store: MemoryStore) -> None:
    digest, counter = watched_profile(store, "m", "known", Watched(served_as="v7", reference=REFERENCE))
    assert digest == REFERENCE.profile
    assert set(counter.profile.columns) == {"x", SCORE}


def test_a_later_version_is_not_compared_with_the_scores_of_another(store: MemoryStore) -> None:
    digest, counter = watched_profile(store, "m", "known", Watched(served_as="v8", reference=REFERENCE))
    assert digest == sha256_of(counter.profile.encode()) != REFERENCE.profile
    assert set(counter.profile.columns) == {"x"}


def test_without_a_reference_nothing_is_compared(store: MemoryStore) -> None:
    digest, counter = watched_profile(store, "m", "known", Watched(served_as="v8"))
    assert (digest, counter.profile.columns) == ("known", {})


def test_a_reference_that_is_gone_or_damaged_is_said(store: MemoryStore) -> None:
    watched = Watched(served_as="v7", reference=REFERENCE)
    with pytest.raises(IntegrityError, match="is missing"):
        watched_profile(MemoryStore(), "m", "known", watched)
    store.put(reference_key("m", REFERENCE.profile), b"{}")
    with pytest.raises(IntegrityError, match="not the ones that were named"):
        watched_profile(store, "m", "known", watched)
