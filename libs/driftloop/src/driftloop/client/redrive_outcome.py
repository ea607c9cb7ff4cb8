"""What became of rejected messages that were sent again, or would become of them."""

from driftloop.contracts.values import Part, RedrivenMessage, StreamName
from driftloop.redrive.changes import Change
from driftloop.redrive.original import Changed, Original
from driftloop.redrive.planning import Planned, Verdict

MAX_SHOWN = 1000  # messages that an answer has one by one


class Outcome(Part, frozen=True, kw_only=True):
    """What became of one message, or would: ``after`` is null when nothing was made of it. ``sent``: null unless it was sent."""

    id: str
    topic: str
    partition: int
    offset: int
    reason: str
    verdict: Verdict
    why: str | None = None
    before: bytes | None = None
    after: bytes | None = None
    sent: RedrivenMessage | None = None


class Redriven(Part, frozen=True, kw_only=True):
    """How many messages were meant, and what became of them: ``chosen`` = ``sent`` + ``refused`` + ``before`` + ``left_out``. Of a dry
    run, ``sent`` are those that would be. ``messages``: the first MAX_SHOWN. ``recovered``: that a run which had broken off had sent."""

    stream: StreamName
    run: str | None  # null: a dry run
    change: str
    chosen: int
    sent: int
    refused: int
    before: int
    left_out: int
    recovered: int
    messages: tuple[Outcome, ...]


class Told:
    """Counts as messages pass, and keeps the first MAX_SHOWN."""

    def __init__(self, stream: StreamName, change: Change, run: str | None = None, recovered: int = 0) -> None:
        self._stream, self._change, self._run, self._recovered = stream, change, run, recovered
        self._counts: dict[Verdict, int] = {"send": 0, "refused": 0, "sent before": 0, "left out": 0}
        self._messages: list[Outcome] = []

    @property
    def chosen(self) -> int:
        return sum(self._counts.values())

    def add(self, one: Planned, sent: RedrivenMessage | None = None) -> None:
        self._counts[one.verdict] += 1
        if len(self._messages) < MAX_SHOWN:
            self._messages.append(_outcome(one.original, one, one.changed, sent))

    def all(self) -> Redriven:
        counts = self._counts
        return Redriven(
            stream=self._stream,
            run=self._run,
            change=self._change.words,
            chosen=self.chosen,
            sent=counts["send"],
            refused=counts["refused"],
            before=counts["sent before"],
            left_out=counts["left out"],
            recovered=self._recovered,
            messages=tuple(self._messages),
        )


def _outcome(of: Original, planned: Planned, changed: Changed | None, sent: RedrivenMessage | None) -> Outcome:
    return Outcome(
        id=of.quarantined,
        topic=of.topic,
        partition=of.partition,
        offset=of.offset,
        reason=of.reason,
        verdict=planned.verdict,
        why=planned.why,
        before=of.value,
        after=None if changed is None else changed.value,
        sent=sent,
    )
