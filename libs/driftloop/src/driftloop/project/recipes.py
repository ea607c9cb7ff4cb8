"""Recipes: what a candidate is fitted on, and how. Their one grammar, as ``[training] candidates`` has them.

    recipe  = member | "newest" ["+time"] | "mean:[" member ("," member)* "]"
    member  = ("all" | "last:" N | "decay:" H) ["+time"]

``all`` is every row of the past, ``last:N`` the last N windows of the plan, ``decay:H`` every row with the weight
0.5^(age / H), its age in windows. ``+time`` gives the event time to the fit as one more feature. ``mean`` is the mean of what
its members say, each fitted by itself. ``newest`` is the newest window alone, like ``last:1``, which is measured twice: as the others,
and within the window that these are judged on, fitted on half of its split keys and judged on others.
"""

import re
from typing import Literal

from driftloop.contracts.values import Part

Base = Literal["all", "last", "decay", "newest"]
ALLOWED = (
    "use all, last:N (N windows) or decay:H (weights halve every H windows), each with or without +time, "
    "a mean of these such as mean:[all, all+time, decay:4], or newest (the newest window, measured within it)"
)
_MOST_WINDOWS = 1_000_000
_WHOLE = re.compile(r"[0-9]{1,7}")
_DECIMAL = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?")
_TIME, _MEAN, NEWEST = "+time", "mean:", "newest"


class Member(Part, frozen=True, kw_only=True):
    """One fit. ``windows``: N of ``last:N``, the half-life H of ``decay:H``; 0 of ``all``. ``time``: with the event time."""

    base: Base = "all"
    windows: float = 0
    time: bool = False

    def __str__(self) -> str:
        """The canonical text; parsed again it is the same value."""
        windows = f":{self.windows:.10g}" if self.windows else ""
        return f"{self.base}{windows}{_TIME if self.time else ''}"

    @property
    def weighted(self) -> bool:
        return self.base == "decay"


class Recipe(Part, frozen=True, kw_only=True):
    """``mean``: of what the members say, in their order; otherwise there is one member, and the recipe is that."""

    members: tuple[Member, ...]
    mean: bool = False

    @property
    def inside(self) -> bool:
        """Whether it is also measured within the window that candidates are judged on."""
        return self.members[0].base == NEWEST

    def __str__(self) -> str:
        """The canonical text; parsed again it is the same value."""
        texts = ", ".join(map(str, self.members))
        return f"{_MEAN}[{texts}]" if self.mean else texts


def parse_recipe(text: str) -> Recipe:
    """Raises ValueError that says what is wrong and what is allowed."""
    head = text.strip()
    if head.removesuffix(_TIME) == NEWEST:
        return Recipe(members=(Member(base="newest", time=head != NEWEST),))
    if not head.startswith(_MEAN):
        return Recipe(members=(_member(head),))
    inside = head.removeprefix(_MEAN).strip()
    if inside.endswith(_TIME):
        raise ValueError(f"{text!r}: +time belongs to a mean's members, not to the mean: mean:[all+time, …]")
    if not (inside.startswith("[") and inside.endswith("]")):
        raise ValueError(f"{text!r} names no members: write mean:[all, decay:4]")
    if _MEAN in inside:
        raise ValueError(f"{text!r}: a mean cannot be a member of a mean")
    members = tuple(_member(part.strip()) for part in inside[1:-1].split(","))
    if len(set(members)) < len(members):
        raise ValueError(f"{text!r} names a member twice: each is fitted once and counts once")
    return Recipe(members=members, mean=True)


def _member(text: str) -> Member:
    body = text.removesuffix(_TIME)
    time = body != text
    base, colon, number = body.partition(":")
    if base == "all" and not colon:
        return Member(base="all", time=time)
    if base == "last":
        whole = _number(text, number, _WHOLE, 1, "a whole number of windows, at least 1")
        return Member(base="last", windows=whole, time=time)
    if base == "decay":
        half_life = _number(text, number, _DECIMAL, 0.1, "a half-life in windows, at least 0.1, such as 4 or 2.5")
        return Member(base="decay", windows=half_life, time=time)
    raise ValueError(f"{text!r} is no recipe: {ALLOWED}")


def _number(text: str, number: str, form: "re.Pattern[str]", least: float, what: str) -> float:
    if not form.fullmatch(number) or not least <= float(number) <= _MOST_WINDOWS:
        raise ValueError(f"{text!r} is no recipe: after the colon comes {what} and at most {_MOST_WINDOWS}")
    return float(number)
