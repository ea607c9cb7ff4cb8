"""The header of a message that was sent again: what is read back, and what is no such header."""

import pytest

from driftloop.contracts.redrives import REDRIVEN, Redrive, redrive_header, redrive_id, redrive_of

SAID = Redrive(
    id="r", quarantined="0:1", topic="s.labels", partition=0, offset=4, run="run", by="Ada", why="labels came as text", change="as it was"
)


def test_a_redrive_is_read_back_and_the_last_of_several_counts() -> None:
    assert redrive_of((redrive_header(SAID), ("other", b"1"))) == SAID
    assert redrive_of(((REDRIVEN, b"{}"), redrive_header(SAID))) == SAID


@pytest.mark.parametrize("value", [b"", b"{}", b"\xff", b"null", b'{"x":' + b"[" * 100_000, redrive_header(SAID)[1].replace(b":4", b":-4")])
def test_what_a_stranger_writes_there_is_none(value: bytes) -> None:
    assert redrive_of(((REDRIVEN, value),)) is None
    assert redrive_of(()) is None


def test_a_redrive_is_known_by_its_cause() -> None:
    assert redrive_id("s.labels", 0, 4, "a") == redrive_id("s.labels", 0, 4, "a")
    assert len({redrive_id(*cause) for cause in (("s.labels", 0, 4, "a"), ("s.labels", 0, 4, "b"), ("s.labels", 1, 4, "a"))}) == 3
