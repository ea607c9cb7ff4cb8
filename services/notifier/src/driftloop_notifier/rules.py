"""Whom to tell of each project: its registered archive's rules."""

import time
from typing import NamedTuple

from driftloop.contracts.codec import caused_id
from driftloop.contracts.notify_rules import NotifyRule
from driftloop.contracts.values import rule_digest
from driftloop.errors import IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.project.archives import load_project
from driftloop.registry.records import ProjectRef
from driftloop.registry.state import RegistryState
from driftloop.service.project import project_refs
from driftloop.stored import ObjectLister
from driftloop.telemetry import get_logger

AGAIN_SECONDS = 30.0  # between two looks for an archive that cannot be read

log = get_logger(__name__)


class Addressee(NamedTuple):
    """A rule of a project's. ``id``: of where it sends to, for this project: a rule that asks for other events is the same one, and
    repeats nothing. ``stated``: of all that it says: what ended before it was said is not told to it."""

    project: str
    model: str
    rule: NotifyRule

    @property
    def id(self) -> str:
        return caused_id("notify-rule", self.project, self.rule.destination)

    @property
    def stated(self) -> str:
        return caused_id("notify-rule", self.project, rule_digest(self.rule))


class RuleBook:
    """Reads each archive once. A project whose archive cannot be read now keeps the rules that it had."""

    def __init__(self, store: ObjectLister) -> None:
        self._store = store
        self._read: dict[str, tuple[str, tuple[Addressee, ...]]] = {}  # by project, with the archive's digest
        self._tried: dict[str, float] = {}  # by project, when its archive could not be read last
        self.troubles: dict[str, str] = {}  # by project, why its rules are not those that are registered

    def of(self, state: RegistryState) -> tuple[Addressee, ...]:
        """Of all projects, in the order of their names."""
        refs = project_refs(state)
        for name in self._read.keys() - refs.keys():
            del self._read[name]
        for name, ref in sorted(refs.items()):
            current = name in self._read and self._read[name][0] == ref.archive
            if not current and time.monotonic() - self._tried.get(name, -AGAIN_SECONDS) >= AGAIN_SECONDS:
                self._refresh(name, ref)
        return tuple(found for name in sorted(self._read) for found in self._read[name][1])

    def _refresh(self, name: str, ref: ProjectRef) -> None:
        try:
            rules = load_project(self._store, ref).notify
        except (IntegrityError, ObjectNotFound, TransientError, UserError) as exc:
            if self.troubles.get(name) != str(exc):
                log.warning("rules-not-read", project=name, reason=str(exc))
            self.troubles[name], self._tried[name] = str(exc), time.monotonic()
            return
        self.troubles.pop(name, None)
        self._read[name] = (ref.archive, tuple(Addressee(name, ref.model, rule) for rule in rules))
        log.info("rules-read", project=name, rules=len(rules))
