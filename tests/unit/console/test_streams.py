"""Pages that tell of changes by themselves: how many, for how long, and what is sent."""

import asyncio
import time
from collections.abc import Callable

from starlette.responses import Response, StreamingResponse
from tests.support.waiting import PATIENCE_SECONDS

from driftloop_console.streams import Streams, Told


async def sent(answer: Response, most: int = 1_000) -> list[bytes]:
    assert isinstance(answer, StreamingResponse)
    found: list[bytes] = []
    async for piece in answer.body_iterator:
        assert isinstance(piece, bytes)
        found.append(piece)
        if len(found) >= most:
            break
    return found


def numbers(*states: str) -> Callable[[], Told]:
    """Tells of one after another, and of the last for ever."""
    left = list(states)

    def told() -> Told:
        state = left.pop(0) if len(left) > 1 else left[0]
        return Told(state.encode(), {"html": f"<p>{state}\n</p>"})

    return told


def test_a_change_is_sent_once_a_heartbeat_without_one_and_the_end_is_an_end() -> None:
    streams = Streams(seconds=1.0, look=0.01, heartbeat=0.05)
    found = asyncio.run(sent(streams.answer(numbers("one", "one", "two"))))
    events = [piece for piece in found if piece.startswith(b"event: now\n")]
    assert [b"one" in piece for piece in events] == [True, False]
    assert b'"<p>one\\n</p>"' in events[0]  # on one line, whatever it holds
    assert all(piece.endswith(b"\n\n") for piece in found)
    assert found[0].startswith(b"retry: ")
    assert b": nothing new\n\n" in found
    assert streams.open == 0


def test_one_more_than_there_may_be_is_told_so_and_one_that_is_left_makes_room() -> None:
    async def all_of_it() -> None:
        streams = Streams(at_once=2, seconds=PATIENCE_SECONDS)
        open_ones = [streams.answer(numbers("a")) for _ in range(2)]
        iterators = [answer.body_iterator for answer in open_ones if isinstance(answer, StreamingResponse)]
        for one in iterators:
            await anext(one)
        refused = streams.answer(numbers("a"))
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert b"2 pages are being kept up to date" in bytes(refused.body)
        await iterators[0].aclose()
        assert streams.answer(numbers("a")).status_code == 200
        await iterators[1].aclose()
        assert streams.open == 0

    asyncio.run(all_of_it())


def test_it_ends_when_the_process_is_about_to() -> None:
    began = time.monotonic()
    streams = Streams(lambda: time.monotonic() - began > 0.3, seconds=10 * PATIENCE_SECONDS, look=PATIENCE_SECONDS)
    assert len(asyncio.run(sent(streams.answer(numbers("a"))))) == 2  # and did not wait for the next look
    assert streams.open == 0
