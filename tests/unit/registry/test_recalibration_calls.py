"""Which correction a call asks for: said once and clearly, or refused with the field and the reason."""

import pytest
from tests.unit.registry.commands import MODEL, folded, measured, promote, register_version
from tests.unit.registry.corrections import LOGIT, project, recalibrate

from driftloop_registry.recalibration_calls import numbers_of, wish_of
from driftloop_registry.request_models import RecalibrateBody
from driftloop_registry.responses import Refused, model_of, recalibrations_of

SAID = {"actor": "ada", "reason": "r"}
NUMBERS = {"kind": "logit", "strength": 1, "intercept": 0.2, "slope": 0.9}
CHAMPION = (project(), register_version("r1"), promote("r1", epoch=0))


def wish(**body: object) -> object:
    return wish_of(RecalibrateBody.model_validate(SAID | body))


def test_numbers_none_and_an_earlier_record_are_three_wishes() -> None:
    assert wish(recalibration=NUMBERS) == LOGIT
    assert wish(recalibration=None) is None
    assert wish(to=3) == 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "either recalibration"),
        ({"to": None}, "either recalibration"),
        ({"to": 1, "recalibration": None}, "either recalibration"),
        ({"recalibration": {"kind": "prior", "strength": 1}}, "Invalid enum value 'prior'"),
        ({"recalibration": {"kind": "shift"}}, "missing required field `strength`"),
        ({"recalibration": {"kind": "shift", "strength": 10**400}}, "recalibration: "),
        ({"recalibration": NUMBERS | {"kind": "priors", "classes": ["\ud800"], "weights": [1.0]}}, "recalibration: "),
    ],
)
def test_what_is_no_wish_is_refused(body: dict[str, object], reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        wish(**body)
    assert (refused.value.status, refused.value.field) == (422, "recalibration")


def test_an_earlier_record_is_gone_back_to_only_for_the_version_that_it_corrected() -> None:
    log = (*CHAMPION, recalibrate(), recalibrate(None, command_id="clear", epoch=1))
    model = folded(*log)[0].models[MODEL]
    assert (numbers_of(1, model), numbers_of(2, model), numbers_of(LOGIT, model), numbers_of(None, model)) == (LOGIT, None, LOGIT, None)
    with pytest.raises(Refused, match="2 records of recalibration, and none of epoch 3") as unknown:
        numbers_of(3, model)
    assert unknown.value.status == 404

    model = folded(*log, register_version("r2"), promote("r2", epoch=1, measured=measured(against=1)))[0].models[MODEL]
    with pytest.raises(Refused, match="of version 1, and the champion is version 2") as other:
        numbers_of(1, model)
    assert other.value.status == 409


def test_an_answer_tells_what_is_in_force_and_what_was() -> None:
    model = folded(*CHAMPION, recalibrate())[0].models[MODEL]
    found = recalibrations_of(model)
    assert (found["epoch"], found["in_force"].recalibration, len(found["recalibrations"])) == (1, LOGIT, 1)
    assert model_of(model)["recalibrations"] == found["recalibrations"]

    model = folded(*CHAMPION, recalibrate(), recalibrate(None, command_id="clear", epoch=1))[0].models[MODEL]
    assert (recalibrations_of(model)["epoch"], recalibrations_of(model)["in_force"]) == (2, None)
