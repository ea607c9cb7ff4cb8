"""Who a canary answers: published, within its share, the same entities and more with each step, and nobody for being held out."""

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from driftloop.contracts.canary_steps import problem_with_steps, share_of, share_text
from driftloop.lake import split
from driftloop.rows.canary_hash import canary_buckets, of_canary

N = 40_000
ENTITIES = pa.array([f"carrier {i}" for i in range(N)])


def rows(entities: list[str | None]) -> pa.Table:
    return pa.table({"entity": pa.array(entities, pa.string()), "event_id": [f"e{i}" for i in range(len(entities))]})


def test_the_bucket_is_the_published_hash_of_domain_model_version_and_entity() -> None:
    entities = ["", "a", "Zürich", "x" * 100]
    expected = [xxhash.xxh64_intdigest(f"driftloop-canary\x1em\x1e7\x1e{entity}".encode()) % 10_000 for entity in entities]
    assert canary_buckets(pa.array(entities), "m", 7).tolist() == expected


@pytest.mark.parametrize("step", ["1 %", "10 %", "50 %"])
def test_each_share_is_what_it_says(step: str) -> None:
    share = share_of(step) / 10_000
    found = (canary_buckets(ENTITIES, "m", 1) < share_of(step)).mean()
    assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / N)


def test_who_is_among_fewer_is_among_more() -> None:
    few, some, many = (of_canary(rows(ENTITIES.to_pylist()), "m", 1, share) for share in (100, 1000, 5000))
    assert few.any()
    assert not (few & ~some).any()
    assert not (some & ~many).any()


@pytest.mark.parametrize("salt", ["", "m", "flights", "driftloop-canary"])
def test_being_the_canarys_says_nothing_of_being_held_out(salt: str) -> None:
    canary = canary_buckets(ENTITIES, "m", 1) < 1000
    held_out = split.held_out(split.buckets(ENTITIES, salt))
    assert abs(np.corrcoef(canary, held_out)[0, 1]) < 4 / np.sqrt(N)


def test_another_version_is_answered_to_others() -> None:
    first, second = (canary_buckets(ENTITIES, "m", version) < 1000 for version in (1, 2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(N)


def test_a_row_without_an_entity_is_shared_out_by_its_event_id() -> None:
    table = rows(["e1", None, None])
    assert of_canary(table, "m", 1, 5000).tolist() == (canary_buckets(pa.array(["e1", "e1", "e2"]), "m", 1) < 5000).tolist()


@pytest.mark.parametrize(
    ("step", "share", "text"), [("1 %", 100, "1 %"), ("0.5%", 50, "0.5 %"), ("12.34 %", 1234, "12.34 %"), ("99%", 9900, "99 %")]
)
def test_a_step_is_read_and_said(step: str, share: int, text: str) -> None:
    assert (share_of(step), share_text(share)) == (share, text)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [((), "1 to 20 steps"), (("0 %", "1 %"), "nobody"), (("10 %", "10 %"), "larger"), (("10 %", "1 %"), "larger")],
)
def test_steps_that_cannot_be_are_named(steps: tuple[str, ...], reason: str) -> None:
    assert reason in (problem_with_steps(steps) or "")
