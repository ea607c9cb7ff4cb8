"""One local stack: Kafka, S3 and the services, each a supervised process."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from driftloop.contracts.services import READY_PATH, REGISTRY, SERVICES
from driftloop.local.addresses import StackAddresses, addresses_path
from driftloop.local.aot import ensure_aot_cache
from driftloop.local.claim import claim_home
from driftloop.local.environment import service_environment
from driftloop.local.errors import LocalStackError
from driftloop.local.identity import identity
from driftloop.local.instances import ONE_OF_EACH, Instance, check, instances_of
from driftloop.local.kafka import KafkaServer
from driftloop.local.kept_instances import keep_instances, state_dir
from driftloop.local.paths import cache_dir
from driftloop.local.port_numbers import DEFAULT_PORT_BASE, StackPorts, check_free
from driftloop.local.process import ProcessSpec
from driftloop.local.s3 import S3Server
from driftloop.local.supervisor import Supervisor

INFRASTRUCTURE_READY_SECONDS = 300.0  # what ends is noticed at once; a busy machine takes its time
REGISTRY_READY_SECONDS = 300.0
# together within the promised ten seconds
SERVICES_STOP_SECONDS = 7.0
INFRASTRUCTURE_STOP_SECONDS = 2.5


class LocalStack:
    """Starts and stops a stack. Ports are checked first, so a taken one is named before anything runs.

    `services` are counts, for no project by name; `instances` say more and stand in their place. `prepare` runs when Kafka and S3
    answer and no service has started: it makes bucket and topics.
    """

    def __init__(
        self,
        home: Path,
        port_base: int = DEFAULT_PORT_BASE,
        services: Mapping[str, int] = ONE_OF_EACH,
        prepare: Callable[[StackAddresses], None] | None = None,
        instances: Sequence[Instance] | None = None,
    ) -> None:
        self.home = home.absolute()
        self.ports = StackPorts(port_base)
        self.instances = instances_of(services) if instances is None else list(instances)
        check(self.instances)
        self._prepare = prepare
        self._cache = cache_dir(self.home)
        self._s3 = S3Server(self.home, self.ports.s3)
        self._kafka = KafkaServer(self.home, self._cache, self.ports.kafka, self.ports.kafka_controller)
        self._claim = ExitStack()
        self._written: StackAddresses | None = None
        self.infrastructure: Supervisor | None = None
        self.services: Supervisor | None = None

    def __enter__(self) -> Self:
        try:
            self.start_infrastructure()
            self.start_services()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start_infrastructure(self) -> None:
        """Start Kafka and S3, wait until they answer, prepare them."""
        check_free(self.ports.wanted(self.instances))
        self._claim.enter_context(claim_home(self.home))
        ensure_aot_cache(self._cache)
        self._kafka.prepare()
        self._s3.prepare()
        self.infrastructure = Supervisor([self._kafka.spec(), self._s3.spec()])
        self.infrastructure.start()
        self.infrastructure.wait_ready(INFRASTRUCTURE_READY_SECONDS)
        self.refresh()
        if self._prepare is not None:
            self._prepare(self.addresses())

    def start_services(self) -> None:
        """Start the services and wait for the registry.

        The others are ready only once they know a project: register one, then `readiness.wait_for_services`.
        """
        keep_instances(self.home, self.instances)
        self.services = Supervisor([self._service_spec(instance) for instance in self.instances])
        self.services.start()
        self.services.wait_ready(REGISTRY_READY_SECONDS, {i.name for i in self.instances if i.service == REGISTRY.name})
        self.refresh()

    def change(self, wanted: Sequence[Instance]) -> None:
        """Run these instances from now on; those that are among the present ones are not touched, but for those that were given up
        on: they are started once more.

        One that is told another project starts again with it: at once if it is not ready, which is what waits for a project.
        """
        check(wanted)
        if self.services is None:
            raise LocalStackError("the services have not been started")
        present, names = {i.name: i for i in self.instances}, {i.name for i in wanted}
        for name in [name for name in present if name not in names]:
            self.services.remove(name, SERVICES_STOP_SECONDS)
        self.instances = [instance for instance in self.instances if instance.name in names]
        for instance in wanted:
            if instance.name not in present:
                self.services.add(self._service_spec(instance))
            elif instance != present[instance.name]:
                self.services.respecify(self._service_spec(instance))
        self.services.try_again()
        self.instances = list(wanted)
        keep_instances(self.home, self.instances)
        self.refresh()

    def stop(self) -> None:
        """End all that this stack started: services first, then Kafka and S3, within 10 s. Data stays."""
        if self.services is not None:
            self.services.stop(SERVICES_STOP_SECONDS)
        if self.infrastructure is not None:
            self.infrastructure.stop(INFRASTRUCTURE_STOP_SECONDS)
            addresses_path(self.home).unlink(missing_ok=True)
        self.services = self.infrastructure = None
        self._claim.close()

    def refresh(self) -> None:
        """Write stack.json again if a restart or a failure has changed it."""
        addresses = self.addresses()
        if addresses != self._written:
            addresses.write()
            self._written = addresses

    def failures(self) -> dict[str, str]:
        """What has been given up on, and why."""
        supervisors = [supervisor for supervisor in (self.infrastructure, self.services) if supervisor is not None]
        return {name: reason for supervisor in supervisors for name, reason in supervisor.failures.items()}

    def addresses(self) -> StackAddresses:
        """Where everything is, with the pids of this moment."""
        access = self._s3.access()
        described = StackAddresses(
            home=str(self.home),
            port_base=self.ports.base,
            kafka_bootstrap=self._kafka.bootstrap,
            s3_endpoint=access.endpoint,
            s3_access_key_file=str(self._s3.access_key_file),
            s3_secret_key_file=str(self._s3.secret_key_file),
            s3_region=access.region,
            s3_bucket=access.bucket,
            registry_url=self._url(REGISTRY.name, 0),
            services={i.name: self._url(i.service, i.number) for i in self.instances},
            projects={i.name: i.project for i in self.instances if i.project is not None},
            log_files={name: str(self._log_path(name)) for name in ("kafka", "s3", *(i.name for i in self.instances))},
            restarts=self._restarts(),
            failures=self.failures(),
            pids={"supervisor": os.getpid(), **self._pids()},
        )
        return replace(described, supervisor_identity=identity(os.getpid()) or "")

    def _restarts(self) -> dict[str, int]:
        supervisors = [supervisor for supervisor in (self.infrastructure, self.services) if supervisor is not None]
        return {name: count for supervisor in supervisors for name, count in supervisor.restart_counts().items() if count}

    def _pids(self) -> dict[str, int]:
        infrastructure = {} if self.infrastructure is None else {name: self.infrastructure.pid(name) for name in ("kafka", "s3")}
        services = {} if self.services is None else {i.name: self.services.pid(i.name) for i in self.instances}
        return infrastructure | services

    def _url(self, service: str, number: int) -> str:
        return f"http://127.0.0.1:{self.ports.service(service, number)}"

    def _log_path(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _service_spec(self, instance: Instance) -> ProcessSpec:
        service, port = SERVICES[instance.service], self.ports.service(instance.service, instance.number)
        state = state_dir(self.home, instance)
        state.mkdir(parents=True, exist_ok=True)
        return ProcessSpec(
            name=instance.name,
            argv=[sys.executable, "-m", service.package],
            env=service_environment(self.addresses(), service, instance, state, port),
            log_path=self._log_path(instance.name),
            ready_url=f"{self._url(instance.service, instance.number)}{READY_PATH}",
        )
