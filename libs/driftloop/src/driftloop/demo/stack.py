"""The stack under the demo: as long as the demo runs, or longer with ``--keep``."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from driftloop.local.addresses import StackAddresses, read_addresses
from driftloop.local.background import end_in_background, start_in_background
from driftloop.local.instances import ONE_OF_EACH, instances_of
from driftloop.local.prepare import prepare_stack
from driftloop.local.stack import LocalStack
from driftloop.replay.interruptible import interruptible
from driftloop.settings import S3Settings


class RunningStack(NamedTuple):
    """A stack that is ready. ``failures``: services that were given up on, with the reason."""

    addresses: StackAddresses
    failures: Callable[[], Mapping[str, str]]

    @property
    def s3(self) -> S3Settings:
        access = self.addresses.s3
        return S3Settings(
            endpoint=access.endpoint,
            bucket=access.bucket,
            region=access.region,
            access_key=access.access_key,
            secret_key=access.secret_key,
        )


@contextmanager
def standing(home: Path, port_base: int, *, keep: bool, external: StackAddresses | None = None) -> Iterator[RunningStack]:
    """Start a stack; end it with the block within 10 s. An ``external`` one was started by others and is left to them.

    Without ``keep`` its processes are this process's children: they end with it, however it ends. With ``keep`` they belong to a
    process of their own and go on after the block, unless it is interrupted.
    """
    if external is not None:
        yield RunningStack(external, dict)
        return
    if keep:
        addresses = start_in_background(home, port_base, instances_of(ONE_OF_EACH))
        try:
            yield RunningStack(addresses, lambda: read_addresses(home).failures)
        except KeyboardInterrupt:
            with _undisturbed():
                end_in_background(home)
            raise
        return
    stack = LocalStack(home, port_base, prepare=lambda addresses: interruptible(lambda: prepare_stack(addresses)))
    stack.__enter__()
    try:
        yield RunningStack(stack.addresses(), stack.failures)
    finally:
        with _undisturbed():
            stack.stop()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not leave the stack half stopped."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
