"""The leak test finds a key on both sides and a row that moves, and nothing in a split by hash that grows."""

import numpy as np
import pyarrow as pa
import pytest

from driftloop.datasets import split_check
from driftloop.datasets.split_check import SplitCheck
from driftloop.errors import UserError
from driftloop.lake.split import SplitRule, buckets, held_out, split_keys

RULE = SplitRule(key="entity", salt="s")


def rows(start: int, end: int, entities: int = 97) -> pa.Table:
    entity = [None if n % 50 == 0 else f"entity-{n % entities}" for n in range(start, end)]
    return pa.table({"event_id": [f"e{n}" for n in range(start, end)], "entity": pa.array(entity, pa.string())})


def checked(*snapshots: pa.Table) -> split_check.SplitReport:
    check = SplitCheck()
    for snapshot in snapshots:
        check.take(RULE, snapshot)
    return check.report()


def test_a_series_that_grows_keeps_every_row_and_every_key_on_its_side():
    report = checked(rows(0, 1000), rows(0, 3000), rows(500, 5000))
    assert report.ok
    assert (report.snapshots, report.rows) == (3, 5000)
    assert report.keys == 97 + 100  # rows without an entity are keys of their own
    assert 0.02 < report.held_out_rows / report.rows < 0.3


def test_a_split_by_chance_is_found_out(monkeypatch):
    chance = np.random.default_rng(0)
    monkeypatch.setattr(split_check, "buckets", lambda keys, salt: chance.integers(0, 10_000, len(keys)).astype(np.uint16))
    report = checked(rows(0, 1000), rows(0, 2000))
    assert not report.ok
    assert report.moved
    assert report.straddling


def test_a_row_whose_key_changed_has_moved():
    here = next(n for n in range(97) if held_out(buckets(pa.array([f"entity-{n}"]), "s"))[0])
    there = next(n for n in range(97) if not held_out(buckets(pa.array([f"entity-{n}"]), "s"))[0])
    before, after = (pa.table({"event_id": ["e1"], "entity": [f"entity-{n}"]}) for n in (here, there))
    report = checked(before, after)
    assert report.moved == ("e1",)
    assert "e1" in str(report)


def test_its_sides_are_those_that_training_takes():
    sample = rows(0, 5000)
    report = checked(sample)
    assert report.held_out_rows == held_out(buckets(split_keys(sample, "entity"), "s")).sum()


def test_another_rule_is_another_series():
    check = SplitCheck()
    check.take(RULE, rows(0, 1000))
    check.take(SplitRule(key="entity", salt="other"), rows(0, 1000))
    assert check.report().ok
    assert check.report().rules == 2


def test_a_rule_of_an_unknown_hash_is_refused():
    with pytest.raises(UserError, match="sha1"):
        SplitCheck().take(SplitRule(key="entity", salt="s", hash="sha1"), rows(0, 10))
