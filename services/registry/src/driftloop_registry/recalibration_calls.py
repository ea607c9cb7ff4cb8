"""Which correction a caller asks for: numbers of its own, none, or those of an earlier record."""

import msgspec

from driftloop.contracts.recalibration import Recalibration
from driftloop.contracts.typed import prepared
from driftloop.registry.fold import ModelState
from driftloop_registry.request_models import RecalibrateBody
from driftloop_registry.responses import Refused

Wish = Recalibration | int | None  # an int: the epoch of the record whose numbers are meant


def wish_of(body: RecalibrateBody) -> Wish:
    """Raises Refused, 422, when the body says nothing, or two things, or numbers that are none."""
    given = body.model_fields_set & {"recalibration", "to"}
    if len(given) != 1 or (given == {"to"} and body.to is None):
        raise Refused(422, "either recalibration (null: none any more) or to, the epoch of an earlier record", "recalibration")
    if body.to is not None or body.recalibration is None:
        return body.to
    try:
        wished = msgspec.convert(body.recalibration, prepared(Recalibration))
        msgspec.json.encode(wished)  # names of classes that no text can hold stop here, and not at the log
        return wished
    except (msgspec.ValidationError, UnicodeEncodeError, OverflowError) as exc:
        raise Refused(422, f"recalibration: {exc}", "recalibration") from exc


def numbers_of(wish: Wish, model: ModelState) -> Recalibration | None:
    """Raises Refused when there is no such record, or it corrected another version's answers."""
    if not isinstance(wish, int):
        return wish
    record = model.recalibrations.get(wish)
    if record is None:
        reason = f"model {model.model} has {model.recalibration_epoch} records of recalibration, and none of epoch {wish}"
        raise Refused(404, reason, "to")
    champion = model.champion
    if champion is None or record.version != champion.version:
        now = f"the champion is version {champion.version}" if champion is not None else "there is no champion"
        raise Refused(409, f"epoch {wish} corrected the answers of version {record.version}, and {now}", "to")
    return record.recalibration
