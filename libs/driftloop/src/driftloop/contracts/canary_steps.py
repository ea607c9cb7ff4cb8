"""The steps of a canary as a project declares them, "2.5 %", and as shares of 10,000 buckets."""

import itertools
from collections.abc import Sequence
from typing import Annotated

import msgspec

BUCKETS = 10_000  # of the canary's hash (``rows.canary_hash``): a share is a number of them
MOST_STEPS = 20

Step = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})? ?%$")]  # of the entities


def share_of(step: str) -> int:
    """The buckets of a step as it is declared, "2.5 %". Raises ValueError."""
    number = step.removesuffix("%").strip()
    whole, _, part = number.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def share_text(share: int) -> str:
    """As a rule and a sentence say it: "2.5 %"."""
    return f"{share / 100:g} %"


def problem_with_steps(steps: Sequence[str]) -> str | None:
    """What stands against these steps; None: nothing. Each is well formed by its type."""
    shares = [share_of(step) for step in steps]
    if not 0 < len(steps) <= MOST_STEPS:
        return f"a canary has 1 to {MOST_STEPS} steps; leave it out where a version becomes champion at once"
    if shares[0] == 0:
        return "the first step is nobody: write a share above 0 %"
    if any(later <= earlier for earlier, later in itertools.pairwise(shares)):
        return f"each step must be larger than the one before it, not {', '.join(steps)}"
    return None
