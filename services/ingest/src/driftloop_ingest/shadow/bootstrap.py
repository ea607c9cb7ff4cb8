"""The one place that builds the process that scores for a challenger. Ingest starts it, and ends it by closing its standard input."""

import os
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.services import INGEST
from driftloop.lake.table import LakeTable
from driftloop.rows.schemas import SHADOW, shadow_schema
from driftloop.service.process import Stop, run_service
from driftloop.service.start import Parts
from driftloop.telemetry import configure_logging
from driftloop_ingest.newer_project import NewerProject
from driftloop_ingest.settings import ingest_settings
from driftloop_ingest.shadow.challengers import Challengers
from driftloop_ingest.shadow.filling import ShadowFilling
from driftloop_ingest.shadow.progress import Account
from driftloop_ingest.table_writer import Outputs

NICENESS = 10  # where there is too little time for all, a tenth of what any other gets: what answers callers comes first
AUTOGROUP = Path("/proc/self/autogroup")  # Linux shares time between sessions first, and then inside each: of this one's, as little
TELL_SECONDS = 1.0


def main() -> None:
    run_service(f"{INGEST.name} (shadow)", run)


def run(stop: Stop) -> None:
    settings, account = ingest_settings(), Account()
    configure_logging(INGEST.name, settings.common.instance)
    threading.Thread(target=_end_with_parent, args=(stop,), name="parent", daemon=True).start()
    threading.Thread(target=_tell, args=(stop, account), name="progress", daemon=True).start()
    parts, store = Parts(settings.common, stop), MinioObjectStore(settings.common.s3)
    producer = parts.producer()
    outputs = Outputs(store, producer, parts.publisher(producer))
    with parts.at_end:
        project = parts.project(store)
        make = partial(LakeTable.open, settings.common.s3, project.stream, SHADOW, shadow_schema(project.schema))
        filling = parts.until_connected(
            lambda: ShadowFilling(
                project,
                make(),
                outputs,
                settings.flush,
                broker=parts.broker,
                challengers=Challengers(project, parts.registry, store, account),
                account=account,
                clock=parts.clock,
                newer=NewerProject(project, parts.registry).wait_for_restart,
                stop=stop,
                max_lag=settings.shadow_max_lag,
            )
        )
        _step_back()  # now: what is left of its start is done at the pace of the others
        filling.run()


def _step_back() -> None:
    """Ingest starts this process in a session of its own."""
    os.nice(NICENESS)
    with suppress(OSError):  # not there on other systems, and in containers, whose groups have weights of their own
        AUTOGROUP.write_text(str(NICENESS))


def _end_with_parent(stop: Stop) -> None:
    """Its end closes the other side of standard input, however it ends."""
    while sys.stdin.buffer.read(1024):
        pass
    stop.request()


def _tell(stop: Stop, account: Account) -> None:
    while not stop.wait(TELL_SECONDS):
        try:
            sys.stdout.buffer.write(msgspec.json.encode(account.progress()) + b"\n")
            sys.stdout.buffer.flush()
        except OSError:  # nobody listens any more
            return stop.request()
    return None
