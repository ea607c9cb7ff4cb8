"""A stream's declared schema. Without Arrow: who only passes schemas on need not carry it."""

import hashlib
from typing import Annotated, Literal

import msgspec

from driftloop.contracts.names import Name
from driftloop.contracts.values import Part

FeatureType = Literal["number", "integer", "boolean", "category"]
TargetType = Literal["number", "boolean", "category"]
Task = Literal["regression", "binary", "multiclass"]

# Columns that driftloop writes; a feature cannot be called so.
RESERVED = frozenset(
    "event_id event_time entity prediction score model_version scored_at request_offset partition offset label label_time".split()
)


class Feature(Part, frozen=True, kw_only=True):
    """One input of the model. ``required``: the field must be there; its value may still be null, which is missing."""

    name: str
    type: FeatureType
    required: bool = True


class Target(Part, frozen=True, kw_only=True):
    """What is predicted. boolean → binary, category → multiclass, number → regression."""

    name: str
    type: TargetType

    @property
    def task(self) -> Task:
        return {"boolean": "binary", "category": "multiclass", "number": "regression"}[self.type]  # type: ignore[return-value]


class StreamSchema(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The declared columns of one stream. How they may change: ``contracts.evolution``.

    ``version`` is left out of the JSON, and so of the fingerprint, while it is 1.
    """

    stream: Name
    features: tuple[Feature, ...]
    target: Target
    version: Annotated[int, msgspec.Meta(ge=1)] = 1

    @property
    def feature_names(self) -> list[str]:
        return [feature.name for feature in self.features]

    @property
    def numeric(self) -> list[str]:
        """Features with an order (numbers, integers, booleans as 0 and 1)."""
        return [feature.name for feature in self.features if feature.type != "category"]

    @property
    def categorical(self) -> list[str]:
        return [feature.name for feature in self.features if feature.type == "category"]

    def fingerprint(self) -> str:
        """sha256 of the canonical JSON of the schema, hex."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()
