"""How far the work on a stream's tables has come, for a person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, TaskID

if TYPE_CHECKING:
    from driftloop.client.maintenance import TableProgress


@contextmanager
def table_progress(doing: str) -> "Iterator[TableProgress]":
    """A bar on stderr for each table, from the first that is told of it."""
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        tasks: dict[str, TaskID] = {}

        def tell(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = shown.add_task(f"{doing} {table}", total=None)
            shown.update(tasks[table], completed=done, total=max(done, total))

        yield tell
