"""What is to be sent now: of conditions, rules and what was told before. Pure: the same answer whenever and by whomever it is asked."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from driftloop.contracts.codec import caused_id
from driftloop.contracts.notifications import NotificationDue, Phase
from driftloop.contracts.notify_rules import NotifyRule
from driftloop_notifier import wording
from driftloop_notifier.conditions import Condition, Rise
from driftloop_notifier.memory import Memory
from driftloop_notifier.rules import Addressee

TEST_SECONDS = 900  # for so long a test that was asked for is sent
MOST_COVERED = 5000  # messages that a summary stands for
STEP = 0.1  # of a severity that rises


class Due(NamedTuple):
    id: str
    event: NotificationDue


def due(
    addressees: Sequence[Addressee],
    conditions: Iterable[Condition],
    memory: Memory,
    now: datetime,
    *,
    max_age: timedelta,
    console_url: str | None = None,
) -> list[Due]:
    """In the order in which it happened. Only rules that the memory knows are told anything.

    A condition is told once to each rule that asks for it: when it begins, when it rises if the rule says so, and when it ends,
    which only those hear of who were told of the beginning. What ended before the rule was known is not told at all. What ended
    longer than ``max_age`` ago and was never told is not told one by one: one summary stands for all of it. What has not ended is
    told however old it is.
    """
    known = sorted(conditions, key=lambda condition: (condition.since, condition.key))
    found: list[Due] = []
    for addressee in addressees:
        since = memory.rules.get(addressee.stated)
        if since is None:
            continue
        writer = _Writer(addressee, console_url)
        late: list[Due] = []
        for condition in known:
            if not _is_for(addressee, condition) or (condition.until is not None and condition.until < since):
                continue
            messages = list(_of_condition(writer, addressee.rule, condition, memory))
            old = condition.until is not None and now - condition.until > max_age and messages and messages[0].event.phase == "opened"
            (late if old else found).extend(messages)
        if late:
            found.append(writer.left_out(late, now))
        found.extend(writer.tests(memory, now))
    return sorted((one for one in found if not memory.told(one.id)), key=lambda one: (one.event.at, one.event.phase != "opened"))


def _is_for(addressee: Addressee, condition: Condition) -> bool:
    return (
        condition.kind in addressee.rule.events
        and condition.model in (None, addressee.model)
        and condition.project in (None, addressee.project)
    )


def _of_condition(writer: "_Writer", rule: NotifyRule, condition: Condition, memory: Memory) -> Iterator[Due]:
    """Those that were not due before."""
    reached = _reached(rule, condition)
    if reached is None:
        return
    opening = writer.id(condition, "opened")
    told = memory.told(opening)
    if not told:
        if condition.withdrawn:
            return
        yield writer.of(opening, condition, "opened", reached, wording.opened(condition))
    if rule.raised:
        yield from (message for message in _rises(writer, rule, condition, opening) if not memory.told(message.id))
    if condition.until is not None and not memory.told(ending := writer.id(condition, "closed")):
        yield writer.of(ending, condition, "closed", condition.until, wording.closed(condition), opening)


def _reached(rule: NotifyRule, condition: Condition) -> datetime | None:
    """When it became what the rule asks for. None: not yet."""
    if not condition.rises:
        return condition.since
    return next((rise.at for rise in condition.rises if rise.severity >= rule.severity), None)


def _rises(writer: "_Writer", rule: NotifyRule, condition: Condition, opening: str) -> Iterator[Due]:
    for rise in condition.rises:
        if rise.before >= rule.severity and _step(rise) > int(rise.before / STEP):
            yield writer.of(
                writer.id(condition, "raised", _step(rise)), condition, "raised", rise.at, wording.raised(condition, rise.severity), opening
            )


def _step(rise: Rise) -> int:
    return int(rise.severity / STEP)


class _Writer:
    """Messages to one rule."""

    def __init__(self, addressee: Addressee, console_url: str | None) -> None:
        self._to, self._console_url = addressee, console_url

    def id(self, condition: Condition, phase: Phase, *more: object) -> str:
        """From what happened and who is told: the same for whoever works it out again."""
        return caused_id("notification", self._to.id, condition.kind, condition.key, phase, *more)

    def of(self, id: str, condition: Condition, phase: Phase, at: datetime, words: wording.Words, opening: str | None = None) -> Due:
        event = NotificationDue(
            project=self._to.project,
            rule=self._to.id,
            destination=self._to.rule.destination,
            kind=condition.kind,
            phase=phase,
            key=condition.key,
            about=condition.about,
            model=condition.model,
            at=at,
            text=words.text,
            act=words.act,
            link=self._link(words),
            evidence=condition.evidence,
            opening=opening,
        )
        return Due(id, event)

    def left_out(self, late: Sequence[Due], now: datetime) -> Due:
        covered = late[-MOST_COVERED:]
        counts: dict[str, int] = {}
        for one in late:
            if one.event.phase == "opened":
                name = str(one.event.kind)
                counts[name] = counts.get(name, 0) + 1
        times = [one.event.at for one in late]
        ids = tuple(one.id for one in covered)
        words = wording.left_out(counts, min(times), max(times))
        return self._own(caused_id("notification", self._to.id, "left-out", *ids), "left-out", now, words, covers=ids)

    def tests(self, memory: Memory, now: datetime) -> Iterator[Due]:
        for asked in memory.tests:
            if asked.project in (None, self._to.project) and now - asked.at <= timedelta(seconds=TEST_SECONDS):
                told = caused_id("notification", self._to.id, "test", asked.id)
                yield self._own(told, "test", asked.at, wording.test(self._to.project), key=asked.id)

    def _own(self, id: str, phase: Phase, at: datetime, words: wording.Words, key: str = "", covers: tuple[str, ...] = ()) -> Due:
        event = NotificationDue(
            project=self._to.project,
            rule=self._to.id,
            destination=self._to.rule.destination,
            kind=None,
            phase=phase,
            key=key,
            about=self._to.project,
            model=self._to.model,
            at=at,
            text=words.text,
            act=words.act,
            link=self._link(words),
            covers=covers,
        )
        return Due(id, event)

    def _link(self, words: wording.Words) -> str | None:
        return None if self._console_url is None else f"{self._console_url}{words.page}"
