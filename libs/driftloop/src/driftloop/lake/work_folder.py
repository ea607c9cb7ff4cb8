"""Where rows that do not fit into memory are put for a while, and what is said when there is not enough of either."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from driftloop.errors import UserError


@contextmanager
def work_folder(what: str, memory_bytes: int, folder: Path | None = None) -> Iterator[Path]:
    """A folder below ``folder`` (null: the system's temporary one) that ends with the block. ``what``: whose rows they are.

    Raises UserError when, within the block, ``memory_bytes`` or the disk turn out not to suffice.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="driftloop-rows-", dir=folder) as work:
            yield Path(work)
    except (duckdb.OutOfMemoryException, pa.ArrowMemoryError, MemoryError) as exc:
        raise UserError(f"{what}: {memory_bytes // 2**20} MiB of memory are too little: {exc}") from exc
    except OSError as exc:
        raise UserError(f"{what} do not fit below {folder or tempfile.gettempdir()}: {exc}") from exc
