"""What another policy would have decided on the evidence of decisions that were made. Pure; nothing is fitted.

The evidence is what the recorded policy's models made of the windows: other attempts would have had other champions, whose drift and loss
nobody knows. A replay says when a policy would have tried, and a backtest what that would have been worth.
"""

from collections.abc import Iterable

import msgspec

from driftloop.contracts.events import DecisionMade, RetrainReason
from driftloop.contracts.typed import prepared
from driftloop.contracts.values import Part, Window, rule_digest
from driftloop.monitoring.evidence import Evidence
from driftloop.monitoring.policy import PolicyState, decide
from driftloop.project.rules import Policy


class ReplayedDecision(Part, frozen=True, kw_only=True):
    """One window: what was decided, and what the other policy would have. A dry run's yes is a yes."""

    window: Window
    recorded: bool
    recorded_reason: str
    replayed: bool
    reason: str
    trigger: RetrainReason | None

    @property
    def differs(self) -> bool:
        return self.recorded != self.replayed


class Replay(Part, frozen=True, kw_only=True):
    """Attempts of both policies over the windows of a record, oldest first. ``rule``: digest of the other policy."""

    model: str
    rule: str
    recorded_attempts: int
    replayed_attempts: int
    differing: int
    decisions: tuple[ReplayedDecision, ...]


def replay(model: str, policy: Policy, decisions: Iterable[DecisionMade]) -> Replay:
    """Of the model's retrain decisions on windows, the first on each window, in any order. Raises msgspec.ValidationError for one whose
    evidence is none.

    Runs that the recorded policy asked for do not hold the other one back, since it may not have asked for them; its own are taken to have
    ended when the next window closed. Runs that people asked for hold both.
    """
    first: dict[Window, DecisionMade] = {}
    for decision in decisions:
        if decision.model == model and decision.kind == "retrain" and decision.window is not None:
            first.setdefault(decision.window, decision)
    in_order = sorted(first.items(), key=lambda item: (item[0].start, item[0].end))
    asked = {decision.request_id for decision in first.values() if decision.request_id is not None}
    state, found = PolicyState(), list[ReplayedDecision]()
    for window, decision in in_order:
        evidence = msgspec.convert(decision.evidence, prepared(Evidence))
        others = tuple(request for request in evidence.runs_in_flight if request not in asked)
        state, other = decide(policy, state, msgspec.structs.replace(evidence, runs_in_flight=others))
        found.append(
            ReplayedDecision(
                window=window,
                recorded=decision.accepted or decision.evidence.get("dry_run") is True,
                recorded_reason=decision.reason,
                replayed=other.accepted or other.dry_run,
                reason=other.reason,
                trigger=other.trigger,
            )
        )
    return Replay(
        model=model,
        rule=rule_digest(policy),
        recorded_attempts=sum(each.recorded for each in found),
        replayed_attempts=sum(each.replayed for each in found),
        differing=sum(each.differs for each in found),
        decisions=tuple(found),
    )
