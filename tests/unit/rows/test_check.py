"""A row that is checked alone is refused where it would be when it is decoded, in the same words."""

from hypothesis import given
from tests.unit.rows.strangers import SCHEMA, VALUES

from driftloop.errors import InvalidMessage
from driftloop.ports import Record
from driftloop.rows.requests import RequestDecoder


@given(VALUES)
def test_check_refuses_what_decode_refuses(value: bytes | None) -> None:
    said: list[str | None] = []
    for decoder, ask in ((RequestDecoder(SCHEMA), "check"), (RequestDecoder(SCHEMA), "decode")):
        try:
            getattr(decoder, ask)(value if ask == "check" else Record("t", 0, 0, 0, None, value, ()))
        except InvalidMessage as exc:
            said.append(str(exc))
        else:
            said.append(None)
    assert said[0] == said[1]
