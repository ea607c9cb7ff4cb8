"""When all is quiet: every check of the run, each with its figure. A check that cannot be made has not held."""

import hashlib
import re
import time
from collections.abc import Callable, Sequence

from bench.chaos.account import left_by, sent_and_stored, versions_dense, windows_decided, windows_with_rows
from bench.chaos.book import Book
from bench.chaos.checks import Check
from bench.chaos.faults import Fault
from bench.chaos.project_run import ProjectRun
from bench.chaos.reports import drift_as_counted, performance_as_measured
from bench.chaos.storm import Happened
from driftloop import Client
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.errors import IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.installation import Installation
from driftloop.lake.table import LakeTable

# a report follows the labels within seconds; on a busy machine within this, as long as fewer problems are left each time
PATIENCE_SECONDS = 180.0
PERIOD_SECONDS = 3.0
_NAMED_BY_BYTES = re.compile(r"([0-9a-f]{64})\.parquet$")


def faults_happened(drawn: Sequence[Fault], happened: Sequence[Happened], targets: Sequence[str], rows_meanwhile: int) -> Check:
    """Each drawn fault hit a process; each target was killed and paused; rows were sent meanwhile."""
    problems = [f"{fault.target}: {fault.kind} at {fault.at:.1f} s had no effect: {fault.effect}" for fault in happened if not fault.ok]
    hit = {(fault.target, fault.kind) for fault in happened if fault.ok}
    problems += [f"{target} was never hit by a {kind}" for target in targets for kind in ("kill", "pause") if (target, kind) not in hit]
    problems += [f"{len(drawn)} faults were drawn and {len(happened)} happened"] if len(drawn) != len(happened) else []
    problems += [] if rows_meanwhile else ["no row was sent while faults happened"]
    kills = sum(fault.kind == "kill" for fault in happened if fault.ok)
    pauses = [fault.until - fault.at for fault in happened if fault.ok and fault.kind == "pause"]
    figure = f"{kills} kills and {len(pauses)} pauses of up to {max(pauses, default=0):.0f} s over {len(targets)} processes"
    return Check("faults", f"{figure}; {rows_meanwhile:,} messages were sent meanwhile", tuple(problems))


def reckon(runs: Sequence[ProjectRun], installation: Installation, book: Book, say: Callable[[str], None]) -> list[Check]:
    """All checks but those on the faults themselves."""
    client, store = Client(stack=installation), MinioObjectStore(installation.s3)
    found = [check for run in runs for check in _of_project(run, installation, client, store, book, say)]
    found += _made("registry", lambda: [_rebuilt(client)])
    found += _made("datasets verify", lambda: [_snapshots(client)])
    return found + _made("lake verify", lambda: [_lake(installation, [run.shop.name for run in runs])])


def _of_project(
    run: ProjectRun, installation: Installation, client: Client, store: MinioObjectStore, book: Book, say: Callable[[str], None]
) -> list[Check]:
    shop = run.shop
    say(f"reading back {shop.name}")
    left = left_by(installation, shop.name)
    windows = windows_with_rows(run.project, left.inferences_table)
    wrong, repeated = (tuple(run.callers.wrong), run.callers.repeated) if run.callers else ((), 0)
    return [
        *_made(f"{shop.name}: rows", lambda: sent_and_stored(shop, left, book)),
        *_made(f"{shop.name}: decisions", lambda: [windows_decided(shop, installation, client, windows)]),
        *_in_time(lambda: drift_as_counted(shop, client, store, left, windows), say),
        *_in_time(lambda: performance_as_measured(shop, client), say),
        *_made(f"{shop.name}: versions", lambda: [versions_dense(shop, client)]),
        Check(f"{shop.name}: answers by HTTP", f"{repeated} calls repeated, {len(wrong)} wrong answers", wrong),
    ]


def _made(name: str, make: Callable[[], list[Check]]) -> list[Check]:
    try:
        return make()
    except (TransientError, UserError, IntegrityError, ObjectNotFound, ValueError, KeyError) as exc:
        return [Check(name, "not compared", (repr(exc),))]


def _in_time(make: Callable[[], Check], say: Callable[[str], None]) -> list[Check]:
    """Made again as long as it does not hold and something still moves."""
    since, least = time.monotonic(), None
    while True:
        [found] = _made("reports", lambda: [make()])
        if found.ok or time.monotonic() - since > PATIENCE_SECONDS:
            return [found]
        if least is None or len(found.problems) < least:
            least, since = len(found.problems), time.monotonic()
            say(f"{found.name}: {least} to go, such as {found.problems[0]}")
        time.sleep(PERIOD_SECONDS)


def _rebuilt(client: Client) -> Check:
    rebuilt = client.rebuild_registry()
    same = () if rebuilt.same else (f"live {rebuilt.live}, its database {rebuilt.live_database}, rebuilt {rebuilt.rebuilt}",)
    return Check("registry rebuild", f"the log's {rebuilt.offset} records give the state that runs, {rebuilt.live[:12]}", same)


def _snapshots(client: Client) -> Check:
    verified = client.verify(split=True)
    problems = [f"{snapshot.digest[:12]}: {problem}" for snapshot in verified.snapshots for problem in snapshot.problems]
    problems += [] if verified.ok or problems else [f"the split does not hold: {verified.split}"]
    problems += [] if verified.snapshots else ["there is no snapshot: nobody was trained"]
    files = sum(snapshot.files for snapshot in verified.snapshots)
    return Check("datasets verify --split", f"{len(verified.snapshots)} snapshots, {files:,} files hashed", tuple(problems))


def _lake(installation: Installation, streams: Sequence[str]) -> Check:
    """Every live file of every table is the bytes that it is named by."""
    store, problems, files, size = MinioObjectStore(installation.s3), [], 0, 0
    for table in (LakeTable.open(installation.s3, stream, name) for stream in streams for name in ("inferences", "labels")):
        for file in table.files():
            key, named = f"{table.root}/{file.path}", _NAMED_BY_BYTES.search(file.path)
            data = store.get(key)
            if named is None or hashlib.sha256(data).hexdigest() != named[1] or len(data) != file.size:
                problems.append(f"{key} is not the bytes that it is named by")
            files, size = files + 1, size + len(data)
    return Check("lake verify", f"{files:,} live files, {size / 1e6:.1f} MB", tuple(problems))
