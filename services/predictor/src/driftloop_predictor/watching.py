"""Another system answers, and this process records what it does."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from driftloop.contracts.watched import MOST_WATCHED
from driftloop.errors import InvalidMessage
from driftloop.rows.answers import Answer


class UnknownVersions(Exception):
    """Rows were answered by versions that have no number yet: nothing is recorded of the batch until they have."""

    def __init__(self, names: Set[str]) -> None:
        super().__init__(", ".join(sorted(names)))
        self.names = names


class AnswerSource(Protocol):
    def read_all(self, values: Sequence[bytes | None], event_ids: Sequence[str]) -> list[Answer | str]:
        """What was answered to each of some requests, JSON objects with these ids, or why there is no answer."""


class Watching(NamedTuple):
    """``versions``: our numbers by its names; ``full``: no further name gets one."""

    source: AnswerSource
    versions: Mapping[str, int]
    full: bool

    def answers(self, values: Sequence[bytes | None], event_ids: Sequence[str]) -> list[Answer | str]:
        """Of each JSON object, or why there is none. Raises UnknownVersions."""
        found = self.source.read_all(values, event_ids)
        unknown = {each.served_as for each in found if isinstance(each, Answer)} - self.versions.keys()
        if unknown and not self.full:
            raise UnknownVersions(unknown)
        return [_too_many(each) if isinstance(each, Answer) and each.served_as in unknown else each for each in found]

    def numbered(self, answers: Sequence[Answer]) -> Mapping[str, int]:
        """Our numbers by the names that the answers have. Raises UnknownVersions, and InvalidMessage where no further name gets one."""
        unknown = {each.served_as for each in answers} - self.versions.keys()
        if unknown and not self.full:
            raise UnknownVersions(unknown)
        if unknown:
            raise InvalidMessage(_too_many(next(each for each in answers if each.served_as in unknown)))
        return self.versions


def _too_many(answer: Answer) -> str:
    return f"version {answer.served_as!r} is one too many: {MOST_WATCHED} are known that are served elsewhere"
