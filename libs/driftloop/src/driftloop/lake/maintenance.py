"""One pass of compaction over one table, group after group, each with a commit of its own. May end anywhere."""

from collections.abc import Callable, Sequence

from driftloop.contracts.values import Part
from driftloop.lake.compaction import DamagedInputs, merge, swap
from driftloop.lake.compaction_plan import CompactionRules, plan
from driftloop.lake.table import FileEntry, LakeTable
from driftloop.ports import ObjectStore
from driftloop.telemetry import get_logger

log = get_logger(__name__)

Progress = Callable[[int, int], None]  # groups done, groups known so far


class Compacted(Part, frozen=True, kw_only=True):
    """What a pass did, or with ``dry_run`` would do at first. ``bytes`` and ``rows`` of the files that were replaced."""

    table: str
    dry_run: bool
    files_before: int
    files_after: int
    replaced: int
    bytes: int
    rows: int
    version: int
    damaged: tuple[str, ...] = ()  # why files were left alone


def compact(
    table: LakeTable,
    store: ObjectStore,
    rules: CompactionRules,
    *,
    everything: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda done, known: None,
    set_aside: set[str] | None = None,
) -> Compacted:
    """Merge until nothing is left to merge. Moves the table's handle. A damaged file is reported and stays as it is; the files
    beside it are merged without it.

    ``set_aside``: paths of files that are left alone unread; those that are found to be damaged are added. Raises
    TransientError; what was committed until then stays.
    """
    table.refresh()
    before = table.files()
    tried: set[tuple[str, ...]] = set()
    replaced = size = rows = 0
    damaged: list[str] = []
    left_alone = set[str]() if set_aside is None else set_aside

    def planned() -> list[tuple[FileEntry, ...]]:
        sound = [file for file in table.files() if file.path not in left_alone]
        return [group for group in plan(sound, rules, everything=everything) if _names(group) not in tried]

    while groups := planned():
        for group in groups:
            tried.add(_names(group))  # what cannot be merged, or was merged by another, is not tried for ever
            if not dry_run:
                try:
                    merges = merge(table, store, group)
                except DamagedInputs as exc:
                    log.error("not-compacted", table=table.root, reason=str(exc))
                    damaged += exc.reasons.values()
                    left_alone.update(exc.reasons)
                    continue
                if not merges or swap(table, store, merges) is None:
                    continue
            replaced += len(group)
            size, rows = size + sum(f.size for f in group), rows + sum(f.rows for f in group)
            progress(len(tried), len(groups))
        if dry_run:
            break
    if replaced and not dry_run:
        log.info("lake-compacted", table=table.root, version=table.version, files=replaced, rows=rows, bytes=size)
    return Compacted(
        table=table.table,
        dry_run=dry_run,
        files_before=len(before),
        files_after=len(before) - replaced + len(tried) if dry_run else len(table.files()),
        replaced=replaced,
        bytes=size,
        rows=rows,
        version=table.version,
        damaged=tuple(damaged),
    )


def _names(group: Sequence[FileEntry]) -> tuple[str, ...]:
    return tuple(entry.path for entry in group)
