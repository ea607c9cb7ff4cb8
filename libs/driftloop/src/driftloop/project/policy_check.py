"""What in a policy cannot be, by the setting whose line says so."""

from collections.abc import Iterator

from driftloop.project.rules import Policy
from driftloop.project.schedule import parse_schedule


def problems(policy: Policy) -> Iterator[tuple[str, str]]:
    """Setting and message, which says what to write instead. Durations are checked where all of a project's are."""
    if policy.budget is not None and policy.budget_burst is not None and policy.budget_burst > policy.budget:
        yield "budget_burst", f"at most the budget of {policy.budget} can be spent at once"
    most = policy.budget_burst or policy.budget
    if policy.budget_kept is not None and most is not None and policy.budget_kept >= most:
        yield "budget_kept", f"must be below the {most} that can be spent at once, or no closed window is ever an attempt"
    if policy.schedule is not None:
        try:
            parse_schedule(policy.schedule)
        except ValueError as exc:
            yield "schedule", f"policy.schedule: {exc}"
    if "schedule" in policy.triggers and policy.schedule is None:
        yield "triggers", 'the trigger "schedule" needs a schedule: write schedule = "7d" or schedule = "0 3 * * mon"'
    if "labels" in policy.triggers and policy.new_labels is None:
        yield "triggers", 'the trigger "labels" needs to know how many: write new_labels = 5000'
    if policy.schedule is not None and "schedule" not in policy.triggers:
        yield "schedule", f'nothing follows it: add "schedule" to triggers, which are {_list(policy.triggers)}'
    if policy.new_labels is not None and "labels" not in policy.triggers:
        yield "new_labels", f'nothing follows it: add "labels" to triggers, which are {_list(policy.triggers)}'


def _list(triggers: tuple[str, ...]) -> str:
    return ", ".join(triggers) or "none"
