"""How often one record is tried that fails in a way nobody foresaw: each as often as every other."""

import pytest

from driftloop.errors import TransientError
from driftloop.service.attempts import MAX_ATTEMPTS, Attempts

ODD = ZeroDivisionError("nobody foresaw this")


def tries(attempts: Attempts, record: object) -> int:
    """Until the record is given up."""
    count = 1
    while attempts.again(record, ODD) is not None:
        count += 1
    return count


def test_each_record_is_tried_as_often_as_the_one_before() -> None:
    attempts = Attempts()
    assert [tries(attempts, record) for record in ("a", "b", "c")] == [MAX_ATTEMPTS] * 3


def test_the_failures_of_a_record_that_came_through_are_not_the_next_ones() -> None:
    attempts = Attempts()
    first = [attempts.again("a", ODD) for _ in range(MAX_ATTEMPTS - 1)]
    assert [attempts.again("b", ODD) for _ in range(MAX_ATTEMPTS - 1)] == first
    assert first == sorted(filter(None, first))  # each pause longer than the one before


def test_an_error_of_a_known_kind_is_no_failure_of_the_record() -> None:
    with pytest.raises(TransientError):
        Attempts().again("a", TransientError("away"))
