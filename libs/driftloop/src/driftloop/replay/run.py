"""``driftloop replay``: a project's file through a stack that runs, and what came of it."""

import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from driftloop.adapters.kafka import KafkaTopics, Producer, Publisher, partitions_of
from driftloop.backtest.windows import windows_with_rows
from driftloop.client import Client
from driftloop.client.service_status import service_statuses
from driftloop.contracts import topics
from driftloop.contracts.events import TABLES, Table
from driftloop.contracts.services import PREDICTOR
from driftloop.contracts.values import Part, Window
from driftloop.errors import ObjectNotFound, UserError
from driftloop.history.events import Events
from driftloop.history.lake_lag import LakeLag
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import LOOP_TOPICS, ModelHistory
from driftloop.history.registry_follower import RegistryFollower
from driftloop.installation import Installation, current_installation, named_by_environment
from driftloop.lake.table import LakeTable
from driftloop.local.addresses import read_addresses
from driftloop.project.model import Project
from driftloop.project.reading import read_project
from driftloop.replay.account import Account, accounts
from driftloop.replay.publishing import Replay
from driftloop.replay.screen import Screen
from driftloop.replay.story import Story
from driftloop.replay.stream import Stream, read_stream, without
from driftloop.replay.waiting import Settling
from driftloop.settings import S3Settings

CLIENT = "driftloop-replay"


class Options(NamedTuple):
    """As on the command line. ``data``: None: the file that the project names."""

    data: Path | None
    speed: float | None
    label_delay: timedelta | None


class ReplayReport(Part, frozen=True, kw_only=True):
    """What came of it. ``sent``: rows of requests and labels that were published now; the others were in the lake already."""

    project: str
    model: str
    windows: int
    sent: int
    requests: Account
    labels: Account
    quarantined: int
    versions: int
    champion: int | None
    seconds: float

    @property
    def ok(self) -> bool:
        return self.requests.ok and self.labels.ok


def run_replay(folder: Path, options: Options, console: Console) -> ReplayReport:
    """Publish all rows of the file that are not in the lake yet, in the order of their times, and wait for the loop after each window.

    Raises UserError where nothing can be replayed, or the loop cannot go on.
    """
    began = time.monotonic()
    project = read_project(folder)
    if project.served_by == "elsewhere":
        raise UserError(f"{project.model} is served elsewhere: rows of a file have no answers, and would all be rejected")
    if project.requests is not None or project.labels is not None:
        raise UserError(
            f"{folder}: [stream.requests] and [stream.labels] name topics that driftloop never writes, and a replay would write them"
        )
    data = data_file(folder, project, options.data)
    installation = current_installation()
    client = Client(stack=installation)
    check_registered(client, project, folder)
    stream = read_stream(data, project, options.label_delay)
    windows = windows_with_rows(stream.requests, project.windows)
    last = None if project.ahead is None else datetime.now(UTC) + project.ahead
    _check_windows(data, project, windows, last)
    with ExitStack() as clients, Screen(console, stream.rows) as screen:
        producer = Producer(installation.kafka, client_id=CLIENT)
        clients.callback(producer.close)
        told = _Loop(clients, project, installation, screen)
        told.settling.until_stored()  # of an earlier replay, that was interrupted
        left = without(stream, *(pc.unique(_stored_ids(installation.s3, project.stream, table)) for table in TABLES))
        screen.expect(left.rows)
        screen.say(_what_is_sent(data, stream, left, windows))
        replay = Replay(producer, left, project.stream, partitions_of(installation.kafka, topics.requests(project.stream)))
        Story(
            project=project,
            windows=windows,
            replay=replay,
            settling=told.settling,
            history=told.history,
            lag=told.lag,
            publisher=Publisher(producer, source="driftloop/replay"),
            screen=screen,
            speed=options.speed,
            last=last,
            requested_by="driftloop replay",
        ).run()
    return _report(client, installation.s3, project, stream, windows, left.rows, time.monotonic() - began)


def _check_windows(data: Path, project: Project, windows: list[Window], last: datetime | None) -> None:
    """``last``: as for ``Story``."""
    n, first = sum(last is None or window.end <= last for window in windows), project.backtest.first
    if n <= first:
        told = f"the rows fall into {n} windows that have ended, and the first version alone takes {first}"
        remedy = 'make [windows] shorter, or, of rows that lie ahead of the clock, write [stream] clock = "replay"'
        raise UserError(f"{data}: {told}: {remedy}")


def data_file(folder: Path, project: Project, stated: Path | None) -> Path:
    if stated is not None:
        return stated
    if project.backtest.data is None:
        raise UserError(f"--data FILE: {folder} names no file under [backtest] data")
    return folder / project.backtest.data


def check_registered(client: Client, project: Project, folder: Path) -> None:
    """The stack must know the project as it is in the folder: rows that it does not take would be quarantined."""
    known = {model.project.project: model.project for model in client.models() if model.project is not None}
    found = known.get(project.name)
    if found is None:
        raise UserError(f"the stack knows no project {project.name}: `driftloop up --project {folder}` brings it")
    if found.archive != project.digest():
        raise UserError(f"{folder} has changed since it was registered: `driftloop up --project {folder}` registers it as it is now")


class _Loop:
    """The record of the project's loop, followed while rows are sent, and what waits for it."""

    def __init__(self, clients: ExitStack, project: Project, installation: Installation, screen: Screen) -> None:
        kafka = installation.kafka
        predictors = {
            one.instance: one.url
            for one in service_statuses(installation.services)
            if one.instance.rpartition("-")[0] == PREDICTOR.name and one.project == project.name
        }
        if not predictors:
            raise UserError(f"no predictor works for {project.name}: see `driftloop status`; `driftloop up --project DIR` brings one")
        self.history = ModelHistory(project.model)
        reader = clients.enter_context(closing(LogReader(KafkaTopics(kafka, client_id=CLIENT), LOOP_TOPICS, Events(self.history))))
        self.lag = clients.enter_context(LakeLag(KafkaTopics(kafka, client_id=CLIENT), installation.s3, project.stream))
        registry = RegistryFollower(KafkaTopics(kafka, client_id=CLIENT)).start()
        clients.callback(registry.stop)
        self.settling = Settling(
            model=project.model,
            history=self.history,
            reader=reader,
            lag=self.lag,
            registry=registry,
            services=predictors,
            logs={} if named_by_environment() else read_addresses(installation.home).log_files,
            failures=lambda: _failures(installation),
            on_wait=screen.waits,
        )
        clients.callback(self.settling.close)


def _failures(installation: Installation) -> Mapping[str, str]:
    return {} if named_by_environment() else read_addresses(installation.home).failures


def _what_is_sent(data: Path, stream: Stream, left: Stream, windows: list[Window]) -> str:
    whole = f"{len(stream.requests):,} rows and {len(stream.labels):,} labels of {data} in {len(windows)} windows"
    if left.rows == stream.rows:
        return whole
    return f"{whole}; {stream.rows - left.rows:,} of them are in the lake already, {left.rows:,} are sent"


def _stored_ids(s3: S3Settings, stream: str, table: Table) -> pa.ChunkedArray:
    """As often as the lake holds them; nothing before the first row."""
    try:
        return LakeTable.open(s3, stream, table).read(["event_id"]).column("event_id")
    except ObjectNotFound:
        return pa.chunked_array([pa.array([], pa.string())])


def _report(
    client: Client, s3: S3Settings, project: Project, stream: Stream, windows: list[Window], sent: int, seconds: float
) -> ReplayReport:
    requests, labels = accounts(stream, *(_stored_ids(s3, project.stream, table) for table in TABLES))
    model = client.model(project.model)
    return ReplayReport(
        project=project.name,
        model=project.model,
        windows=len(windows),
        sent=sent,
        requests=requests,
        labels=labels,
        quarantined=0 if requests.ok and labels.ok else len(client.quarantined(project.stream)),
        versions=len(model.versions),
        champion=model.champion,
        seconds=seconds,
    )
