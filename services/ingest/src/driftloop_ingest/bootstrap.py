"""The one place that builds ingest."""

from functools import partial

from driftloop.adapters.s3 import MinioObjectStore
from driftloop.contracts.services import INGEST
from driftloop.contracts.topics import inferences
from driftloop.lake.table import LakeTable
from driftloop.ports import TopicPartition
from driftloop.project.model import Project
from driftloop.rows.schemas import lake_schema
from driftloop.service.checks import check_surroundings
from driftloop.service.process import Stop, run_service
from driftloop.service.schemas import schemas_of
from driftloop.service.start import Parts, started
from driftloop_ingest.filling import Filling
from driftloop_ingest.maintenance import Upkeep
from driftloop_ingest.newer_project import NewerProject
from driftloop_ingest.settings import IngestSettings, ingest_settings
from driftloop_ingest.shadow.keeper import ShadowKeeper
from driftloop_ingest.status import IngestHealth
from driftloop_ingest.table_writer import Outputs


def main() -> None:
    run_service(INGEST.name, run)


def run(stop: Stop) -> None:
    settings, health = ingest_settings(), IngestHealth()
    s3 = settings.common.s3
    parts, store = Parts(settings.common, stop), MinioObjectStore(s3)
    producer = parts.producer()
    outputs = Outputs(store, producer, parts.publisher(producer))
    with started(parts, health):
        project = parts.project(store)
        health.project = project.name
        filling = parts.until_connected(lambda: _filling(settings, parts, outputs, project))
        health.handler = filling.handler
        health.shadow = ShadowKeeper(project, parts.registry, settings.common.instance).start()
        parts.at_end.callback(health.shadow.stop)
        first = TopicPartition(inferences(project.stream), 0)
        open_table = partial(LakeTable.open, s3, project.stream)
        Upkeep(open_table, store, settings.upkeep, turn=lambda: filling.handler.owns(first)).start(stop)
        filling.run()


def _filling(settings: IngestSettings, parts: Parts, outputs: Outputs, project: Project) -> Filling:
    check_surroundings(settings.common, INGEST.topics(project.stream, project.retention_ms, project.existing))
    opened = partial(LakeTable.open, settings.common.s3, project.stream)
    return Filling(
        project,
        (opened("inferences", lake_schema(project.schema, "inferences")), opened("labels", lake_schema(project.schema, "labels"))),
        outputs,
        settings.flush,
        broker=parts.broker,
        clock=parts.clock,
        newer=NewerProject(project, parts.registry).wait_for_restart,
        stop=parts.stop,
        schemas=schemas_of(settings.common),
    )
