"""A task of the monitor that ends is seen, also when nobody waits for it."""

import asyncio

import pytest

from driftloop.errors import GapError, TransientError
from driftloop.service.process import Stop
from driftloop_monitor.faust_support.failure import Failure
from driftloop_monitor.wiring import ended_early


async def breaks() -> None:
    raise ZeroDivisionError("nobody foresaw this")


async def goes_on() -> None:
    await asyncio.Event().wait()


def test_a_task_that_has_ended_is_named_with_its_reason() -> None:
    async def scene() -> tuple[object, object]:
        going, broken = asyncio.create_task(goes_on()), asyncio.create_task(breaks(), name="deciding")
        before = ended_early(going, broken)
        await asyncio.wait([broken])
        after = ended_early(going, broken)
        going.cancel()
        return before, after

    before, after = asyncio.run(scene())
    assert before is None
    assert str(after) == "deciding has ended: ZeroDivisionError('nobody foresaw this')"


def test_the_first_failure_is_the_one_that_the_process_ends_with() -> None:
    """What fails behind it, while all of it comes to an end, says nothing of the cause."""
    failure = Failure(Stop())

    async def scene() -> None:
        halts = [asyncio.create_task(failure.halt(exc)) for exc in (GapError("requests 5 to 9"), TransientError("the producer is closed"))]
        await asyncio.sleep(0)
        for halt in halts:
            halt.cancel()

    asyncio.run(scene())
    with pytest.raises(GapError, match="requests 5 to 9"):
        failure.raise_reason()
