"""The leak test: over any number of snapshots, no key is on both sides of the split, and no row ever changes sides.

It hashes again, by the rule that each snapshot records, and keeps what it saw: a series that grows is compared with itself.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from driftloop.contracts.values import Part
from driftloop.errors import UserError
from driftloop.lake.split import BUCKETS, HASH, HELD_OUT_FROM, SplitRule, buckets, split_keys

EXAMPLES = 5


class SplitReport(Part, frozen=True, kw_only=True):
    """What was found. ``straddling`` keys and ``moved`` event ids are the first few; both should be empty."""

    snapshots: int
    rows: int  # different event ids
    keys: int
    held_out_rows: int
    straddling: tuple[str, ...]
    moved: tuple[str, ...]
    rules: int  # different split rules; a row may change sides only with the rule

    @property
    def ok(self) -> bool:
        return not self.straddling and not self.moved

    def __str__(self) -> str:
        if self.straddling:
            return f"keys on both sides of the split: {', '.join(self.straddling)}"
        if self.moved:
            return f"rows that changed sides as data grew: {', '.join(self.moved)}"
        share = f"{100 * self.held_out_rows / self.rows:.1f}% of {self.rows:,} rows held out" if self.rows else "no rows"
        return f"{self.snapshots} snapshots, {share}; no key on both sides, no row moved"


class SplitCheck:
    """Takes snapshots in any order."""

    def __init__(self) -> None:
        self._seen: dict[SplitRule, _Seen] = {}
        self._snapshots = 0

    def take(self, rule: SplitRule, rows: pa.Table) -> None:
        """One snapshot's rows: ``event_id``, once each, and the rule's key. Raises UserError for a rule that is not ours."""
        if (rule.hash, rule.buckets, rule.held_out_from) != (HASH, BUCKETS, HELD_OUT_FROM):
            raise UserError(f"the split {rule.hash} mod {rule.buckets}, held out from {rule.held_out_from}, is not one of this program")
        self._snapshots += 1
        keys = split_keys(rows, rule.key).combine_chunks()
        ids = rows.column("event_id").combine_chunks()
        self._seen.setdefault(rule, _Seen()).take(ids, keys, buckets(keys, rule.salt) >= rule.held_out_from)

    def report(self) -> SplitReport:
        seen = self._seen.values()
        return SplitReport(
            snapshots=self._snapshots,
            rows=sum(len(s.ids) for s in seen),
            keys=sum(s.n_keys for s in seen),
            held_out_rows=sum(int(s.held.sum()) for s in seen),
            straddling=tuple(key for s in seen for key in s.straddling)[:EXAMPLES],
            moved=tuple(row for s in seen for row in s.moved)[:EXAMPLES],
            rules=len(self._seen),
        )


class _Seen:
    """All rows so far under one rule, and what was wrong with them."""

    def __init__(self) -> None:
        self.ids = pa.array([], pa.string())
        self.held: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self._sides = pa.table({"key": pa.array([], pa.string()), "held": pa.array([], pa.bool_())})
        self.straddling: list[str] = []
        self.moved: list[str] = []
        self.n_keys = 0

    def take(self, ids: pa.Array, keys: pa.Array, held: npt.NDArray[np.bool_]) -> None:
        at = pc.index_in(ids, value_set=self.ids)
        known = at.is_valid().to_numpy(zero_copy_only=False)
        before = self.held[at.drop_null().to_numpy()]
        self.moved += pc.filter(ids, pa.array(known)).take(pa.array(np.flatnonzero(before != held[known])[:EXAMPLES])).to_pylist()
        self.ids = pa.concat_arrays([self.ids, ids.filter(pa.array(~known))])
        self.held = np.concatenate([self.held, held[~known]])
        sides = pa.table({"key": keys, "held": pa.array(held)}).group_by(["key", "held"]).aggregate([])
        self._sides = pa.concat_tables([self._sides, sides.select(["key", "held"])]).group_by(["key", "held"]).aggregate([])
        per_key = self._sides.group_by("key").aggregate([("held", "count")])
        self.n_keys = per_key.num_rows
        both = per_key.filter(pc.greater(per_key.column("held_count"), 1)).column("key")
        self.straddling = both.slice(0, EXAMPLES).to_pylist()
