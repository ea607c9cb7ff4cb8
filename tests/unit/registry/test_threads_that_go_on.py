"""The registry's threads beside its answers go on, whatever goes wrong in them."""

import asyncio

import pytest
from tests.support.waiting import wait_until

from driftloop.errors import ConfigurationError, TransientError
from driftloop.registry.state import RegistryState
from driftloop_registry.log_end_waiter import LogEndWaiter
from driftloop_registry.view_keeper import ViewKeeper


class Broker:
    """Answers questions for the log's end as it is told; then the end is 7."""

    def __init__(self, *answers: Exception) -> None:
        self._answers = list(answers)

    def end(self) -> int:
        if self._answers:
            raise self._answers.pop(0)
        return 7


class View:
    """A view on disk that fails at first in a way that nobody foresaw."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.written: list[int] = []

    def write(self, state: RegistryState) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.written.append(state.next_offset)

    def close(self) -> None:
        pass


class Reader:
    """Of a log that does not move."""

    def state(self) -> RegistryState:
        return RegistryState(next_offset=3)


@pytest.mark.parametrize(
    "error", [TransientError("broker away"), ConfigurationError("not authorized"), AssertionError("in the client"), KeyError(0)]
)
def test_whatever_asking_for_the_logs_end_raises_the_next_reader_is_answered(error: Exception) -> None:
    waiter = LogEndWaiter(Broker(error).end)
    waiter.start()

    async def ask_twice() -> int:
        with pytest.raises(type(error)):
            await asyncio.wait_for(waiter.offset(), 30)
        return await asyncio.wait_for(waiter.offset(), 30)

    try:
        assert asyncio.run(ask_twice()) == 7
    finally:
        waiter.stop()


def test_whatever_writing_the_view_raises_it_is_written_after_all() -> None:
    view = View(KeyError("a table"), RuntimeError("in the database"))
    keeper = ViewKeeper(view, Reader())  # type: ignore[arg-type]
    keeper.start()
    try:
        wait_until(lambda: view.written[:1] == [3], "the view to be written")
        assert keeper.thread.as_dict()["failures"] == 2
    finally:
        keeper.stop()
