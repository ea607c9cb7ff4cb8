"""A stream with a predictor, an ingest and two models, one of them the challenger of the other: on the real broker and store."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
from tests.integration.predictor.harness import World
from tests.support.ingest_process import IngestProcess
from tests.support.waiting import wait_until
from tests.unit.predictor.samples import request_json, store_sample_model

from driftloop.adapters.kafka import create_topics
from driftloop.contracts.commands import MoveAlias
from driftloop.contracts.topics import CONTROL_TOPICS
from driftloop.errors import ObjectNotFound
from driftloop.lake.table import LakeTable
from driftloop.local.s3 import S3Access
from driftloop.settings import S3Settings

CHALLENGERS = "error"  # what becomes of a carrier that it was not fitted with; the champion ignores it
PLACE = [("partition", "ascending"), ("offset", "ascending"), ("event_id", "ascending")]


class ShadowWorld(World):
    """``with`` starts a predictor and an ingest; version 1 is champion then."""

    def __init__(self, bootstrap: str, s3: S3Access, name: str, folder: Path) -> None:
        super().__init__(bootstrap, s3, name, folder)
        create_topics(bootstrap, CONTROL_TOPICS)
        self.stream, self.ingest_s3_endpoint = name, s3.endpoint  # what an ingest process is told
        self.lake = S3Settings(endpoint=s3.endpoint, bucket=s3.bucket, region=s3.region, access_key=s3.access_key, secret_key=s3.secret_key)
        for called, secret in (("access", s3.access_key), ("secret", s3.secret_key)):
            (folder / called).write_text(secret)
        self.manifests = [self._add_model(0, "ignore"), self._add_model(1, CHALLENGERS)]
        self.promote(1)
        self.challenger_epoch = self.count = 0
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self.ingest = self._running.enter_context(IngestProcess(self, "ingest-0", {}))  # type: ignore[arg-type]
        self.scoring = self._running.enter_context(self.predictor())
        wait_until(lambda: self.scoring.status()["champion_version"] == 1, "version 1 to be served")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._running.close()

    def _add_model(self, seed: int, unknown: str) -> str:
        manifest = store_sample_model(self.store, self.project, seed, unknown=unknown)
        self.add_version(manifest)
        return manifest

    def challenge(self, version: int) -> None:
        """From now on; the champion itself: nobody."""
        self.command(MoveAlias, model=self.name, alias="challenger", version=version, expected_epoch=self.challenger_epoch)
        self.challenger_epoch += 1

    def traffic(self, rows: int = 40, **changes: object) -> set[str]:
        """Rows to all partitions; their ids."""
        first, self.count = self.count, self.count + rows
        self.send([request_json(n, **changes) for n in range(first, first + rows)])
        return {f"e{n}" for n in range(first, first + rows)}

    def told(self) -> dict[str, Any]:
        """What ingest says of the challenger; nothing while there is none."""
        return self.ingest.status().get("shadow") or {}

    def rows(self, table: str) -> pa.Table:
        """In order of their place; none while there is no such table."""
        try:
            return LakeTable.open(self.lake, self.name, table).read().sort_by(PLACE)
        except ObjectNotFound:
            return pa.table({"event_id": pa.array([], pa.string())})

    def wait_for(self, table: str, ids: set[str]) -> pa.Table:
        """The table's rows once these events are among them."""
        wait_until(lambda: ids <= set(self.rows(table).column("event_id").to_pylist()), f"{len(ids)} events in {table}")
        return self.rows(table)


def only(rows: pa.Table, ids: set[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows.column("event_id"), value_set=pa.array(sorted(ids))))
