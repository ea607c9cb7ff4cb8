"""Comparisons of what came out with what was sent and with what the lake holds: values in, findings out. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from bench.chaos.book import Sent, digest, uid_of
from driftloop.contracts.redrives import redrive_of
from driftloop.ports import Record
from driftloop.service.quarantine import read_quarantined

MAX_NAMED = 5


class Check(msgspec.Struct, frozen=True):
    """One line of the reckoning. ``figure`` says how much was compared; ``problems`` what did not hold, none if all did."""

    name: str
    figure: str
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        named = list(self.problems[:MAX_NAMED])
        more = len(self.problems) - len(named)
        lines = [f"{'ok  ' if self.ok else 'FAIL'}  {self.name}: {self.figure}", *(f"        {p}" for p in named)]
        return "\n".join(lines + ([f"        and {more} more"] if more else []))


class Arrivals(NamedTuple):
    """Messages of one topic: uid by place, and what is wrong."""

    by_uid: dict[str, Record]
    problems: list[str]


def arrivals(sent: Sequence[Sent], ok: Collection[str], records: Iterable[Record]) -> Arrivals:
    """Each acknowledged message is in its topic once with its bytes, each unknown one at most once, and none that was not sent."""
    known = {one.uid: one for one in sent}
    found: dict[str, Record] = {}
    problems = []
    for record in records:
        uid = uid_of(record)
        if uid is None or redrive_of(record.headers) is not None:  # what was sent again is a message that has arrived before
            continue
        where = f"{record.topic}/{record.partition}/{record.offset}"
        if uid in found:
            problems.append(f"message {uid} is in the topic twice, also at {where}")
        elif uid not in known:
            problems.append(f"message {uid} at {where} was never sent")
        elif known[uid].digest != digest(record.value):
            problems.append(f"message {uid} at {where} has other bytes than were sent")
        found.setdefault(uid, record)
    problems += [f"message {one.uid} ({one.kind}) was acknowledged and is not in the topic" for one in sent if one.uid in ok - found.keys()]
    return Arrivals(found, problems)


def rejections(arrived: Mapping[str, Sent], quarantine: Iterable[Record]) -> list[str]:
    """What must be in quarantine is, with its bytes, and nothing else is. ``arrived``: what is in the topics, by uid."""
    problems, found = [], set()
    for record in quarantine:
        original = read_quarantined(record)
        uid = uid_of(record)
        sent = arrived.get(uid or "")
        if sent is None:
            where = f"{original.topic}/{original.partition}/{original.offset}"
            problems.append(f"quarantine holds {where}, which nobody sent: {original.reason}")
        elif not sent.bad:
            problems.append(f"message {uid} ({sent.kind}) is good and in quarantine: {original.reason}")
        elif sent.digest != digest(original.record.value):
            problems.append(f"message {uid} ({sent.kind}) is in quarantine with other bytes than were sent")
        found.add(uid)
    return problems + [f"message {uid} ({one.kind}) is not in quarantine" for uid, one in arrived.items() if one.bad and uid not in found]


def stored_events(stored: Collection[str], certain: Collection[str], possible: Collection[str], what: str) -> list[str]:
    """Every event that is certain to have been taken is stored, and none but those that may have been."""
    missing, invented = set(certain) - set(stored), set(stored) - set(certain) - set(possible)
    return [f"{what} {event} is not in the lake" for event in sorted(missing)] + [
        f"{what} {event} is in the lake and was never sent" for event in sorted(invented)
    ]


def decided_once(with_rows: Collection[datetime], closed: Collection[datetime], decisions: Sequence[tuple[datetime, str]]) -> list[str]:
    """One retrain decision for each window that was closed, and each that holds rows was. All by the windows' starts.

    ``decisions``: with their event ids, as often as the topic holds them: a second delivery of one event is none, a second event is.
    """
    ids: dict[datetime, set[str]] = {}
    for start, event_id in decisions:
        ids.setdefault(start, set()).add(event_id)
    found = [f"window {start:%d %b %H:%M} was never closed" for start in sorted(set(with_rows) - set(closed))]
    found += [f"window {start:%d %b %H:%M} was never decided" for start in sorted(set(closed) - ids.keys())]
    found += [f"window {start:%d %b %H:%M} was decided {len(of)} times" for start, of in sorted(ids.items()) if len(of) > 1]
    return found + [f"window {start:%d %b %H:%M} was decided and not closed" for start in sorted(ids.keys() - set(closed))]


def differing(what: str, said: Mapping[str, Any], counted: Mapping[str, Any], tolerance: float = 1e-9) -> list[str]:
    """Where a report and the batch computation differ; numbers within ``tolerance``, relative, are the same."""

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, float) and isinstance(b, float):
            return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))
        return bool(a == b)

    return [f"{what}: {name} is {said.get(name)}, counted {counted[name]}" for name in counted if not same(said.get(name), counted[name])]


def dense_versions(versions: Sequence[tuple[int, str]]) -> list[str]:
    """Versions count from 1 without a hole, and a request has one at most. ``versions``: number and request id, in order."""
    numbers, requests = [number for number, _ in versions], Counter(request for _, request in versions)
    found = [] if numbers == list(range(1, len(numbers) + 1)) else [f"versions are {numbers}"]
    return found + [f"request {request} has {n} versions" for request, n in requests.items() if n > 1]
