"""A stream's declared schema. Without Arrow: who only passes schemas on need not carry it."""

import hashlib
from typing import Annotated

import msgspec

from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.column_types import COLUMN_TYPES, TARGET_TASKS, DatetimePart, FeatureType, TargetType, Task
from driftloop.contracts.names import Name
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.contracts.values import Part

# Columns beside the features, by who adds them. A feature cannot be called so. Their types: ``rows.schemas``.
REQUEST_COLUMNS = ("event_id", "event_time", "entity")
SCORING_COLUMNS = ("prediction", "score", "model_version", "scored_at", "request_offset")
LABEL_COLUMNS = ("label", "label_time")
PLACE_COLUMNS = ("partition", "offset")  # where a row came in; added by ingest
RESERVED = frozenset((*REQUEST_COLUMNS, *SCORING_COLUMNS, *LABEL_COLUMNS, *PLACE_COLUMNS))


class Feature(Part, frozen=True, kw_only=True):
    """One input of the model. ``required``: the field must be there; its value may still be null, which is missing.

    ``parts``: what a model is given of a time, instead of the time. Left out of the JSON, and so of the schema's fingerprint,
    where there are none.
    """

    name: str
    type: FeatureType
    required: bool = True
    parts: tuple[DatetimePart, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that a model is given: the feature's own, or one for each of its parts, ``departure.hour``."""
        return tuple(f"{self.name}.{part}" for part in self.parts or ()) or (self.name,)

    @property
    def described(self) -> str:
        """Its type, and what a model is given of it, in words."""
        return f"{self.type}, as {', '.join(self.parts)}" if self.parts else self.type


class Target(Part, frozen=True, kw_only=True):
    """What is predicted. boolean → binary, category → multiclass, number → regression."""

    name: str
    type: TargetType

    @property
    def task(self) -> Task:
        return TARGET_TASKS[self.type]


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
    def has_probabilities(self) -> bool:
        """Whether the column PROBABILITIES is recorded beside prediction and score: of a target of several classes, unless a
        feature has that name. It is not RESERVED, so that such a feature, which was there first, stays what it was."""
        return self.target.task == "multiclass" and PROBABILITIES not in self.feature_names

    @property
    def has_recalibration_epoch(self) -> bool:
        """Whether the column RECALIBRATION_EPOCH is recorded, too: unless a feature has that name, for the same reason."""
        return RECALIBRATION_EPOCH not in self.feature_names

    @property
    def has_version_rule(self) -> bool:
        """Whether the column VERSION_RULE is recorded, too: unless a feature has that name, for the same reason."""
        return VERSION_RULE not in self.feature_names

    @property
    def numeric(self) -> list[str]:
        """Features with an order (numbers, integers, booleans as 0 and 1)."""
        return [feature.name for feature in self.features if COLUMN_TYPES[feature.type].ordered]

    @property
    def categorical(self) -> list[str]:
        return [feature.name for feature in self.features if not COLUMN_TYPES[feature.type].ordered]

    def fingerprint(self) -> str:
        """sha256 of the canonical JSON of the schema, hex."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()
