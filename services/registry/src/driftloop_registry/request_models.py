"""What callers may send. Unknown fields are ignored; wrong ones are answered with their names."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from driftloop.contracts.names import DIGEST_PATTERN, NAME_PATTERN
from driftloop.contracts.watched import MAX_SERVED_AS

MAX_INTEGER = 2**53 - 1  # what every JSON reader can hold

# pydantic's regular expressions know no look-ahead, and need none: their $ does not match before a final newline
_NAME, _DIGEST = (pattern.removesuffix(r"(?!\n)") for pattern in (NAME_PATTERN, DIGEST_PATTERN))

NameField = Annotated[str, Field(pattern=_NAME)]
DigestField = Annotated[str, Field(pattern=_DIGEST)]
ModelPath = Annotated[str, Path(pattern=_NAME, description="the model's name")]
AliasPath = Annotated[str, Path(pattern=_NAME, description="champion, challenger or a name of your own")]
AliasQuery = Annotated[str, Query(pattern=_NAME)]
VersionPath = Annotated[int, Path(ge=1, le=MAX_INTEGER)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    actor: Annotated[str, Field(min_length=1, max_length=200, description="who asks")]
    reason: Annotated[str, Field(min_length=1, max_length=2000, description="why; it stays on the record")]


class PromotionBody(BaseModel):
    """The gate's rules as a caller believes them to be; those of the archive count."""

    model_config = ConfigDict(strict=True, extra="ignore")

    tolerance: Annotated[float | None, Field(allow_inf_nan=False)] = None
    min_rows: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None
    approval: Literal["automatic", "person"] | None = None
    promotion_worth: Annotated[float | None, Field(allow_inf_nan=False)] = None
    max_churn: Annotated[float | None, Field(allow_inf_nan=False)] = None


class RegisterProjectBody(_Body):
    """Make an archive that the store holds the current one of its model. Schema and gate's rules are what the archive says."""

    project: NameField
    stream: NameField
    model: NameField
    archive: DigestField
    schema_fingerprint: Annotated[DigestField | None, Field(deprecated=True, description="refused unless it is the archive's")] = None
    promotion: Annotated[PromotionBody | None, Field(deprecated=True, description="refused unless it is the archive's")] = None


class MoveAliasBody(_Body):
    """Point the alias at a version, if its epoch is still the expected one (0: the alias was never set)."""

    version: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    expected_epoch: Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class RollBackBody(_Body):
    """Point the alias at an earlier version; without one, one step back in its history. The epoch is the current one if left out."""

    to: Annotated[int | None, Field(ge=1, le=MAX_INTEGER)] = None
    expected_epoch: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None


class RecalibrateBody(_Body):
    """Correct the champion's answers by these numbers, or, as null, no longer; or by those of the earlier record ``to``.

    Either ``recalibration`` or ``to`` is given. The epochs, of the records and of the champion, are the current ones if left out.
    """

    recalibration: dict[str, Any] | None = None
    to: Annotated[int | None, Field(ge=1, le=MAX_INTEGER)] = None
    expected_epoch: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None
    champion_epoch: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None


class CanaryBody(_Body):
    """``begin`` with a version, ``next`` or ``end`` of the one that is under way. The epoch of its records is the current one
    if left out."""

    move: Literal["begin", "next", "end"]
    version: Annotated[int | None, Field(ge=1, le=MAX_INTEGER)] = None
    expected_epoch: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None


class WindowBody(BaseModel):
    """Event-time interval ``[start, end)``."""

    model_config = ConfigDict(extra="ignore")

    start: AwareDatetime
    end: AwareDatetime


class ReferenceBody(BaseModel):
    """A stretch of the stream: its rows, and the sha256 of the profile of them that the store holds."""

    model_config = ConfigDict(extra="ignore")

    window: WindowBody
    rows: Annotated[int, Field(ge=1, le=10**15)]
    profile: DigestField


class WatchBody(_Body):
    """A version as another system calls it; without a reference it gets that of the version before it."""

    served_as: Annotated[str, Field(min_length=1, max_length=MAX_SERVED_AS)]
    reference: ReferenceBody | None = None


class VersionBody(_Body):
    """Who approves, rejects or deletes a version, and why."""
