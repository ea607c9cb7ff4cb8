"""The run: a stack, traffic, faults, quiet, the reckoning."""

import argparse
import logging
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bench.chaos.book import Book
from bench.chaos.clients import Applications
from bench.chaos.codecs import installed_codecs
from bench.chaos.faults import Fault, schedule
from bench.chaos.project_run import CLIENT, ProjectRun
from bench.chaos.reckoning import faults_happened, reckon
from bench.chaos.shops import SHOPS, WINDOW_SECONDS
from bench.chaos.storm import Storm
from bench.chaos.story import Progress, write_story
from bench.chaos.traffic import TICKS_IN_A_WINDOW
from bench.clocks import BenchError
from driftloop.adapters.kafka import Producer
from driftloop.contracts.services import SERVICES
from driftloop.errors import TransientError, UserError
from driftloop.installation import installation_of
from driftloop.local.errors import LocalStackError
from driftloop.local.instances import Instance
from driftloop.local.paths import default_home
from driftloop.local.port_numbers import free_port_base
from driftloop.local.prepare import prepare_stack
from driftloop.local.readiness import wait_for_services
from driftloop.local.stack import LocalStack

READY_SECONDS = 600.0  # two of everything start at once, on a busy machine
EACH = 2  # instances of what can be several
REPORT_SECONDS = 10.0
INTERRUPTED = 130
EXPECTED = (BenchError, LocalStackError, TransientError, UserError)


def main(arguments: Sequence[str]) -> int:
    """0 when everything held; 1 when something did not, or could not be checked; 130 after SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m bench chaos", description="Faults while traffic flows, then the reckoning.")
    parser.add_argument("--seed", type=int, default=None, help="of traffic and faults; without it one is drawn, and printed")
    parser.add_argument("--minutes", type=float, default=10.0, help="of faults and traffic; the rest takes as long as it takes")
    parser.add_argument("--out", type=Path, default=None, help="folder for the report, logs and timeline (default: below the stack's home)")
    chosen = parser.parse_args(arguments)
    if chosen.minutes <= 0:
        parser.error("--minutes is more than 0")
    seed = int(time.time()) if chosen.seed is None else chosen.seed
    out = (chosen.out or default_home() / "chaos" / f"seed-{seed}").absolute()
    progress = Progress()
    progress.say(f"seed {seed}, {chosen.minutes:g} minutes; report and logs go to {out}")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    logging.basicConfig(filename=out / "run.log", level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    for noisy in ("httpx", "kafka", "aiokafka"):  # what they say of a broker that is away fills a disk
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        return 0 if _run(seed, chosen.minutes * 60, out, progress) else 1
    except EXPECTED as exc:
        progress.say(f"seed {seed}: FAIL: {exc}")
        return 1
    except KeyboardInterrupt:
        progress.say("interrupted")
        return INTERRUPTED


def instances() -> list[Instance]:
    """Two of everything for each project, two trainers, one registry."""
    found = []
    for name, service in SERVICES.items():
        if service.for_project:
            found += [Instance(name, EACH * i + n, shop.name) for i, shop in enumerate(SHOPS) for n in range(EACH)]
        else:
            found += [Instance(name, n) for n in range(EACH if name == "trainer" else 1)]
    return found


def _run(seed: int, seconds: float, out: Path, progress: Progress) -> bool:
    targets = ["kafka", "s3", *(instance.name for instance in instances())]
    faults = schedule(seed, seconds, targets)
    for fault in faults:
        progress.say(f"drawn: {fault}")
    book, home = Book(), out / "home"
    with LocalStack(home, free_port_base(), prepare=prepare_stack, instances=instances()) as stack:
        progress.say(f"{len(targets)} processes run; codecs: {', '.join(installed_codecs())}")
        installation = installation_of(stack.addresses())
        runs = [ProjectRun(seed, shop, out / "projects", stack.addresses(), book, progress.say) for shop in SHOPS]
        applications = Applications(installation.kafka_bootstrap, installed_codecs(), book)
        wait_for_services(stack.addresses(), READY_SECONDS, stack.failures)
        progress.say("every service is ready; sending history")
        _history(runs, applications, stack, progress)
        storm = Storm(lambda name: _pid(stack, name), progress.say)
        before = book.n_ok
        _weather(storm, faults, runs, applications, seconds, progress, book)
        meanwhile = book.n_ok - before
        progress.say("the faults are over; waiting until all is quiet")
        _quiet(runs, applications, stack, progress)
        checks = [faults_happened(faults, storm.happened, targets, meanwhile), *reckon(runs, installation, book, progress.say)]
        failures = stack.failures()
    write_story(out, seed, faults, storm.happened, checks, failures)
    for check in checks:
        progress.say(str(check))
    held = all(check.ok for check in checks) and not failures
    progress.say(f"seed {seed}: " + ("everything held" if held else f"FAIL; see {out}") + f"; unknown outcomes: {dict(book.failures)}")
    if held:
        shutil.rmtree(home)  # gigabytes; what went wrong is looked for in logs and data, which stay
    return held


def _history(runs: Sequence[ProjectRun], applications: Applications, stack: LocalStack, progress: Progress) -> None:
    for run in runs:
        run.history(applications)
    with closing(Producer(stack.addresses().kafka_bootstrap, client_id=CLIENT)) as producer:
        for run in runs:
            run.ask_for_the_first_version(producer)
        for run in runs:
            run.until_the_first_version_scores(stack.failures)
            run.begin_calls()
            progress.say(f"{run.shop.name}: version 1 scores")


def _weather(
    storm: Storm,
    faults: Sequence[Fault],
    runs: Sequence[ProjectRun],
    applications: Applications,
    seconds: float,
    progress: Progress,
    book: Book,
) -> None:
    """Traffic until the last fault is over, and never shorter than was asked for."""
    stop, began = threading.Event(), time.monotonic()
    storming = threading.Thread(target=storm.run, args=(faults, began, stop), name="chaos-storm")
    storming.start()
    pace, due, said = WINDOW_SECONDS / TICKS_IN_A_WINDOW, began, began
    try:
        while storming.is_alive() or time.monotonic() - began < seconds:
            for run in runs:
                run.tick(applications)
            if time.monotonic() - said > REPORT_SECONDS:
                said = time.monotonic()
                waiting = sum(run.callers.waiting for run in runs if run.callers)
                progress.say(f"{book.n_sent:,} messages sent, {book.n_ok:,} acknowledged, {waiting} calls wait")
            due += pace
            time.sleep(max(0.0, due - time.monotonic()))
    finally:
        stop.set()
        storming.join()


def _quiet(runs: Sequence[ProjectRun], applications: Applications, stack: LocalStack, progress: Progress) -> None:
    """The last labels, the promise that nothing more comes, and the end of everything that follows from it."""
    wait_for_services(stack.addresses(), READY_SECONDS, stack.failures)
    progress.say("every service is ready again")
    for run in runs:
        for message in run.last_labels():
            applications.send(run.shop.name, message)
        if run.callers is not None:
            run.callers.close()
    applications.close()
    progress.say("every call is answered and every message has its outcome")
    with closing(Producer(stack.addresses().kafka_bootstrap, client_id=CLIENT)) as producer:
        for run in runs:
            run.promise(producer, -(-run.ticks // TICKS_IN_A_WINDOW))
    for run in runs:
        run.settle(stack.failures)


def _pid(stack: LocalStack, name: str) -> int:
    supervisor = stack.infrastructure if name in ("kafka", "s3") else stack.services
    assert supervisor is not None, "the stack runs"
    return supervisor.pid(name)
