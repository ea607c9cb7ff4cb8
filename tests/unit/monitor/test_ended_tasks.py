"""A task of the monitor that ends is seen, also when nobody waits for it."""

import asyncio

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
