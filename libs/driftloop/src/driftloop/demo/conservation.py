"""Conservation (I1): every row that was acknowledged is in the lake exactly once, or in quarantine with its bytes, or on record
as missing. One that was sent again from quarantine is where it is now."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from driftloop.contracts import topics
from driftloop.contracts.gaps import AcceptedGap
from driftloop.contracts.values import Part
from driftloop.demo.sent_rows import Place, Rejected, sent_rows
from driftloop.ports import Record, TopicPartition
from driftloop.service.quarantine import read_quarantined

MAX_NAMED = 5  # of the rows in each kind of violation
KEY = ["partition", "offset", "event_id"]
Kind = Literal["missing", "duplicated", "never sent", "in lake and quarantine", "not in topic"]


class Violation(Part, frozen=True, kw_only=True):
    """Rows of one topic that are not where they belong, the first few by ``partition/offset event id``."""

    topic: str
    kind: Kind
    rows: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        named = ", ".join(self.examples) + (", …" if self.rows > len(self.examples) > 0 else "")
        return f"{self.topic}: {self.rows:,} {self.kind}" + (f" ({named})" if named else "")


class Conservation(Part, frozen=True, kw_only=True):
    """``sent`` rows were acknowledged, ``lake`` rows are in the lake, ``quarantined`` messages were rejected, and ``missing``
    rows are of offsets that somebody has given up (``lake.gaps``). A message that was rejected and then sent again counts as what it was
    sent again as, once however often: ``redriven`` were rejected, are not among ``quarantined``, and their rows are among ``lake``."""

    sent: int
    lake: int
    quarantined: int
    violations: tuple[Violation, ...] = ()
    missing: int = 0
    redriven: int = 0

    @property
    def ok(self) -> bool:
        return not self.violations and self.sent == self.lake + self.quarantined + self.missing

    def __add__(self, other: "Conservation") -> "Conservation":
        return Conservation(
            sent=self.sent + other.sent,
            lake=self.lake + other.lake,
            quarantined=self.quarantined + other.quarantined,
            violations=(*self.violations, *other.violations),
            missing=self.missing + other.missing,
            redriven=self.redriven + other.redriven,
        )


def conservation(
    stream: str,
    *,
    requests: Iterable[Record],
    labels: Iterable[Record],
    quarantine: Iterable[Record],
    inferences_table: pa.Table,
    labels_table: pa.Table,
    acknowledged: tuple[int, int],
    gaps: Sequence[AcceptedGap] = (),
) -> Conservation:
    """Compare topics and lake. The tables need ``partition``, ``event_id`` and ``request_offset`` or ``offset``;
    ``acknowledged``: how many rows of requests and labels the sender knows to be stored; ``gaps``: of both tables."""
    rejected = rejected_messages(quarantine)
    by_topic = inferences_table.filter(inferences_table.column("request_offset").is_valid())  # the others came by HTTP
    stored_requests = by_topic.select(["partition", "request_offset", "event_id"]).rename_columns(KEY)
    return _account(topics.requests(stream), requests, stored_requests, rejected, acknowledged[0], gaps) + _account(
        topics.labels(stream), labels, labels_table.select(KEY), rejected, acknowledged[1], gaps
    )


def rejected_messages(quarantine: Iterable[Record]) -> Rejected:
    """Where the quarantined messages came from; a message that was rejected twice counts once."""
    found = map(read_quarantined, quarantine)
    return frozenset((TopicPartition(q.topic, q.partition), q.offset) for q in found)


def _account(
    topic: str, records: Iterable[Record], lake: pa.Table, rejected: Rejected, acknowledged: int, gaps: Sequence[AcceptedGap]
) -> Conservation:
    given_up = [gap for gap in gaps if gap.topic == topic]
    found_rows = sent_rows(records, rejected)
    sent = pd.DataFrame(found_rows.rows, columns=KEY)
    stored = pd.DataFrame({name: lake.column(name).to_pandas() for name in KEY})
    counts = pd.merge(_counted(sent, "sent"), _counted(stored, "stored"), on=KEY, how="outer").fillna({"sent": 0, "stored": 0})
    strange = counts[counts.sent == 0]
    lacking = counts[counts.stored < counts.sent]
    in_gaps = _in_gaps(given_up, lacking)
    n_missing = int((lacking.sent - lacking.stored)[in_gaps].sum())
    in_both = strange.apply(lambda row: (TopicPartition(topic, row.partition), row.offset) in rejected, axis=1).astype(bool)
    found: tuple[tuple[Kind, pd.DataFrame], ...] = (
        ("missing", lacking[~in_gaps]),
        ("duplicated", counts[(counts.stored > counts.sent) & (counts.sent > 0)]),
        ("in lake and quarantine", strange[in_both]),
        ("never sent", strange[~in_both]),
    )
    violations = [_violation(topic, kind, rows) for kind, rows in found if len(rows)]
    lost = max(0, acknowledged - found_rows.own - found_rows.rejected)
    gone = min(lost, _offsets_without_records(given_up, sent))  # expired: only the record of the gap is left of them
    if lost > gone:
        violations.append(Violation(topic=topic, kind="not in topic", rows=lost - gone, examples=()))
    return Conservation(
        sent=len(sent) - _at(found_rows.repeated, sent) + found_rows.waiting + gone,
        lake=len(stored) - _at(found_rows.repeated, stored),
        quarantined=found_rows.waiting,
        violations=tuple(violations),
        missing=n_missing + gone,
        redriven=found_rows.rejected - found_rows.waiting,
    )


def _at(places: frozenset[Place], rows: pd.DataFrame) -> int:
    """How many rows came in these messages."""
    return sum((partition, offset) in places for partition, offset in zip(rows["partition"], rows["offset"], strict=True)) if places else 0


def _in_gaps(gaps: Sequence[AcceptedGap], rows: pd.DataFrame) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    inside = np.zeros(len(rows), np.bool_)
    for gap in gaps:
        inside |= ((rows["partition"] == gap.partition) & (rows["offset"] >= gap.start) & (rows["offset"] < gap.end)).to_numpy()
    return inside


def _offsets_without_records(gaps: Sequence[AcceptedGap], sent: pd.DataFrame) -> int:
    """How many offsets of the gaps the topic does not hold any more."""
    held = sent[["partition", "offset"]].drop_duplicates()
    return sum(gap.end - gap.start for gap in gaps) - int(_in_gaps(gaps, held).sum())


def _counted(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    typed = rows.astype({"partition": "int64", "offset": "int64", "event_id": "str"})
    return typed.groupby(KEY, sort=False).size().rename(name).reset_index()


def _violation(topic: str, kind: Kind, rows: pd.DataFrame) -> Violation:
    first = rows.sort_values(KEY).head(MAX_NAMED)
    examples = tuple(f"{p}/{o} {i}" for p, o, i in zip(first["partition"], first["offset"], first["event_id"], strict=True))
    return Violation(topic=topic, kind=kind, rows=len(rows), examples=examples)
