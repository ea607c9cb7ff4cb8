"""One project in the run: its applications send, its first version comes, and at the end everything settles."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from bench.chaos.account import windows_with_rows
from bench.chaos.book import Book
from bench.chaos.callers import Callers
from bench.chaos.clients import Applications
from bench.chaos.messages import Message
from bench.chaos.shops import Shop, window_of
from bench.chaos.traffic import TICKS_IN_A_WINDOW, Traffic
from bench.clocks import BenchError
from driftloop.adapters.kafka import KafkaTopics, Producer, Publisher, partitions_of
from driftloop.client.registration import register_project
from driftloop.contracts import topics
from driftloop.contracts.events import RetrainRequested
from driftloop.contracts.headers import watermark_header
from driftloop.contracts.values import Window
from driftloop.history.events import Events
from driftloop.history.lake_lag import LakeLag
from driftloop.history.log_reader import LogReader
from driftloop.history.model_history import LOOP_TOPICS, ModelHistory
from driftloop.history.registry_follower import RegistryFollower
from driftloop.installation import installation_of
from driftloop.lake.table import LakeTable
from driftloop.local.addresses import StackAddresses
from driftloop.project.model import Project
from driftloop.replay.waiting import Settling

HISTORY_WINDOWS = 3  # sent before there is a model, so that there is one when the faults begin
CLIENT = "driftloop-chaos"
PATIENCE_SECONDS = 300.0  # without any progress, on a busy machine


class ProjectRun:
    """Made when the stack runs; registers the project."""

    def __init__(self, seed: int, shop: Shop, folder: Path, addresses: StackAddresses, book: Book, say: Callable[[str], None]) -> None:
        self.shop, self._book, self._say = shop, book, say
        self.traffic = Traffic(seed, shop, HISTORY_WINDOWS * TICKS_IN_A_WINDOW)
        self.ticks = 0
        self._addresses, self._s3 = addresses, installation_of(addresses).s3
        self.project: Project = register_project(shop.write(folder), installation_of(addresses))
        self.callers: Callers | None = None

    def history(self, applications: Applications) -> None:
        """The windows before the first version, with all labels that are known by then."""
        while self.ticks < HISTORY_WINDOWS * TICKS_IN_A_WINDOW:
            self.tick(applications)

    def tick(self, applications: Applications) -> None:
        """Send what is due; calls go out in the background."""
        due = self.traffic.tick(self.ticks)
        for message in due.messages:
            applications.send(self.shop.name, message)
        for call in due.calls:
            assert self.callers is not None, "history has no calls"
            self.callers.call(call)
        self.ticks += 1

    def last_labels(self) -> list[Message]:
        return self.traffic.labels_after(self.ticks)

    def begin_calls(self) -> None:
        self.callers = Callers(self.shop.name, list(self._predictors().values()), self._book)

    def promise(self, producer: Producer, window: int) -> None:
        """To every partition: nothing before the start of that window comes any more."""
        for topic in (topics.requests(self.shop.name), topics.labels(self.shop.name)):
            for partition in range(partitions_of(self._addresses.kafka_bootstrap, topic)):
                producer.send(topic, None, partition=partition, headers=(watermark_header(window_of(window)),))
        producer.flush()

    def ask_for_the_first_version(self, producer: Producer) -> None:
        """When the history is in the lake."""
        window = Window(start=window_of(HISTORY_WINDOWS - 1), end=window_of(HISTORY_WINDOWS))
        request = RetrainRequested(
            model=self.shop.model, reason="bootstrap", detail="the first model", window=window, requested_by="driftloop bench chaos"
        )
        with ExitStack() as clients:
            self._settling(clients, dict)[0].until_stored()
        publisher = Publisher(producer, source="driftloop/bench")
        publisher.publish(topics.RETRAIN_REQUESTS, request, key=self.shop.model, id=f"bootstrap-{self.shop.name}")

    def until_the_first_version_scores(self, failures: Callable[[], Mapping[str, str]]) -> None:
        """On all predictors."""
        with ExitStack() as clients:
            settling, _ = self._settling(clients, failures)
            settling.until_run_is_judged(f"bootstrap-{self.shop.name}")
            if settling.champion()[0] is None:
                raise BenchError(f"{self.shop.name}: the registry did not make the first version champion")
            settling.until_predictors_follow()

    def settle(self, failures: Callable[[], Mapping[str, str]]) -> None:
        """Return when nothing is left to happen: lag 0, all windows decided, runs judged, predictors following."""
        began = time.monotonic()
        with ExitStack() as clients:
            settling, history = self._settling(clients, failures)
            settling.until_stored()
            self._until_inferences_are_stored()
            windows = windows_with_rows(self.project, LakeTable.open(self._s3, self.shop.name, "inferences").read(["event_time"]))
            for window in windows:
                settling.until_decided(window)
            for decision in history.retrain_decisions():
                if decision.accepted and decision.request_id is not None:
                    settling.until_run_is_judged(decision.request_id)
            settling.until_predictors_follow()
        self._say(f"{self.shop.name}: nothing is left to happen after {time.monotonic() - began:.0f} s; {len(windows)} windows")

    def _until_inferences_are_stored(self) -> None:
        """Also what came by HTTP: it has no request that could lag."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with LakeLag(KafkaTopics(self._addresses.kafka_bootstrap, client_id=CLIENT), self._s3, self.shop.name) as lag:
            while behind := lag.measure().inferences.lag:
                if time.monotonic() > deadline:
                    raise BenchError(f"{self.shop.name}: the lake stays {behind:,} messages behind the inferences")
                time.sleep(0.5)

    def _settling(self, clients: ExitStack, failures: Callable[[], Mapping[str, str]]) -> tuple[Settling, ModelHistory]:
        bootstrap = self._addresses.kafka_bootstrap
        history = ModelHistory(self.shop.model)
        reader = clients.enter_context(closing(LogReader(KafkaTopics(bootstrap, client_id=CLIENT), LOOP_TOPICS, Events(history))))
        lag = clients.enter_context(LakeLag(KafkaTopics(bootstrap, client_id=CLIENT), self._s3, self.shop.name))
        registry = RegistryFollower(KafkaTopics(bootstrap, client_id=CLIENT)).start()
        clients.callback(registry.stop)
        settling = Settling(
            model=self.shop.model,
            history=history,
            reader=reader,
            lag=lag,
            registry=registry,
            services=self._predictors(),
            logs=self._addresses.log_files,
            failures=failures,
            on_wait=lambda what: self._say(f"{self.shop.name}: waiting for {what}"),
            patience_seconds=PATIENCE_SECONDS,
        )
        clients.callback(settling.close)
        return settling, history

    def _predictors(self) -> dict[str, str]:
        projects = self._addresses.projects
        return {n: url for n, url in self._addresses.services.items() if n.startswith("predictor-") and projects.get(n) == self.shop.name}
