"""What a person has said about a new project, and what is asked when that is not enough."""

from typing import Literal

import msgspec

from driftloop.contracts.column_types import FeatureType, TargetType
from driftloop.contracts.values import Part
from driftloop.errors import UserError

NONE = "none"  # said of a role that no column has


class Wishes(Part, frozen=True, kw_only=True):
    """As options of ``driftloop init`` say it; null and empty: to be proposed. ``types``: by column; ``keep``: as features, whatever
    speaks against them; ``drop``: not as features."""

    name: str | None = None
    target: str | None = None
    target_type: TargetType | None = None
    metric: str | None = None
    time: tuple[str, ...] = ()
    time_format: str | None = None
    timezone: str = "UTC"
    entity: tuple[str, ...] = ()
    event_id: str | None = None
    label_time: str | None = None
    every: str | None = None
    types: dict[str, FeatureType] = msgspec.field(default_factory=dict)
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


Field = Literal["target", "target_type", "time", "time_format", "entity", "label_time"]


class Unsure(UserError):
    """The file leaves a choice open. ``field``: of ``Wishes``, that settles it; ``proposed``: what would be taken, None: nothing."""

    def __init__(self, field: Field, question: str, choices: tuple[str, ...], proposed: str | None = None) -> None:
        self.field, self.question, self.choices, self.proposed = field, question, choices, proposed
        super().__init__(f"{question}; say which with {option(field)}: {', '.join(choices[:40])}")


def option(field: str) -> str:
    """As it is written on the command line."""
    return f"--{field.replace('_', '-')}"
