"""How a stream's schema may change. Pure.

Within one version of a stream a schema only gains optional features, and a required one may become optional: what
producers send already stays valid, old rows have nulls, and old models find all their inputs. Anything else is a new
version, which the project declares. What is predicted never changes: then labels could not be compared.
"""

from typing import Literal

from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.column_types import COLUMN_TYPES, FeatureType
from driftloop.contracts.schema import RESERVED, Feature, StreamSchema

_SEPARATOR = "__"


def refusal(before: StreamSchema, after: StreamSchema) -> str | None:
    """Why ``after`` may not follow ``before``, with the remedy; None when it may."""
    if after.stream != before.stream:
        return None  # another stream
    if after.target != before.target:
        was, now = (f"{target.name!r} ({target.type})" for target in (before.target, after.target))
        return f"the target of stream {before.stream} is {was} and cannot become {now}: declare another stream.name"
    if after.version < before.version:
        return f"stream {before.stream} is at version {before.version} already and cannot go back to {after.version}"
    if after.version > before.version:
        return None
    problems = _breaks({f.name: f for f in before.features}, {f.name: f for f in after.features})
    if not problems:
        return None
    remedy = f"declare [stream] version = {before.version + 1}, or take it back"
    return f"stream {before.stream}, version {before.version}: {'; '.join(problems)}: {remedy}"


def unscorable(trained: StreamSchema, rows: StreamSchema) -> str | None:
    """Why a model trained under one schema cannot score rows of another; None when it can: all its inputs are there."""
    if (trained.stream, trained.target) != (rows.stream, rows.target):
        return "it predicts another target, or from another stream"
    types = {f.name: f.type for f in rows.features}
    for feature in trained.features:
        if feature.name not in types:
            return f"its feature {feature.name!r} is no longer sent"
        if types[feature.name] != feature.type:
            was, now = COLUMN_TYPES[feature.type].words, COLUMN_TYPES[types[feature.name]].words
            return f"its feature {feature.name!r} was {was} and is {now} now"
    return None


def retyped_column(name: str, kind: FeatureType | Literal["map"]) -> str:
    """The lake's column for a feature whose own name holds values of an earlier type; ``map``: for class probabilities."""
    return f"{name}{_SEPARATOR}{kind}"


def clashes(name: str) -> bool:
    """Whether a feature's name could be that of a retyped one, or of class probabilities beside a feature called so before."""
    if name == retyped_column(PROBABILITIES, "map"):
        return True
    head, _, kind = name.rpartition(_SEPARATOR)
    return bool(head) and kind in COLUMN_TYPES and head not in RESERVED


def _breaks(before: dict[str, Feature], after: dict[str, Feature]) -> list[str]:
    problems = [f"feature {name!r} was removed" for name in before if name not in after]
    for name, feature in after.items():
        was = before.get(name)
        if was is None:
            if feature.required:
                problems.append(f"feature {name!r} is new and required, so rows without it would be refused (give it required = false)")
        elif was.type != feature.type:
            problems.append(f"feature {name!r} was {COLUMN_TYPES[was.type].words} and became {COLUMN_TYPES[feature.type].words}")
        elif feature.required and not was.required:
            problems.append(f"feature {name!r} was optional and became required")
    return problems
