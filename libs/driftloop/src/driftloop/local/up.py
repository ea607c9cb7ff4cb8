"""A stack that runs in the background, brought to what a person asks for: `driftloop up` and `driftloop down --project`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from driftloop.local.addresses import StackAddresses
from driftloop.local.background import running_stack, start_in_background
from driftloop.local.errors import LocalStackError
from driftloop.local.instances import ONE_OF_EACH, Instance, changed, instances_of, named, restarted, unnamed, without
from driftloop.local.kept_instances import keep_instances, kept_instances, state_dir
from driftloop.local.port_numbers import DEFAULT_PORT_BASE
from driftloop.local.prepare import prepare_stack
from driftloop.local.scaling import change_instances
from driftloop.service.project import remembered_project

Registered = Callable[[StackAddresses], Sequence[str]]


def bring_up(
    home: Path,
    port_base: int | None = None,
    scale: Mapping[str, int] | None = None,
    project: str | None = None,
    *,
    registered: Registered,
    say: Callable[[str], None] = lambda _: None,
) -> StackAddresses:
    """Start the stack of this home, or change the one that runs, so that ``project`` has its services and each count of ``scale`` holds.

    ``registered`` gives the projects that the registry of a running stack knows; it is asked when instances have run so far for the
    only one, whichever that is. Shared topics that are missing are made, and processes that were given up on are started once more. The
    new instances may not be ready yet. ``say`` is told what a start waits for. Raises LocalStackError; of a stack that runs also
    TransientError when its broker or store does not answer.
    """
    running = running_stack(home)
    if running is None:
        instances = _at_start(home, scale or {}, project)
        running = start_in_background(home, DEFAULT_PORT_BASE if port_base is None else port_base, instances, say)
    elif port_base not in (None, running.port_base):
        raise LocalStackError(
            f"a stack already runs here, with the ports from {running.port_base}: end it with `driftloop down`, then start again"
        )
    elif running.instances:
        prepare_stack(running)  # a topic may have been deleted since its start
    return change_instances(home, lambda addresses: _while_running(addresses, scale or {}, project, registered))


def take_down(home: Path, project: str) -> StackAddresses | None:
    """End the instances of one project, and let none start for it the next time; the others go on. None: no stack runs here.

    Raises LocalStackError when there are none of it.
    """
    if running_stack(home) is not None:
        return change_instances(home, lambda addresses: without(addresses.instances, project))
    keep_instances(home, without(kept_instances(home) or [], project))
    return None


def _at_start(home: Path, scale: Mapping[str, int], project: str | None) -> list[Instance]:
    kept = kept_instances(home)
    if not kept and project is not None and not (home / "kafka").exists():
        kept = [instance for instance in instances_of(ONE_OF_EACH) if not unnamed([instance])]  # a new home: the project is its first
    before = restarted(kept) if kept else instances_of(ONE_OF_EACH)
    # a home of a program that kept no list may know a project already: which, its registry says once it runs
    return changed(before, scale, None if unnamed(before) else project)


def _while_running(addresses: StackAddresses, scale: Mapping[str, int], project: str | None, registered: Registered) -> list[Instance]:
    present = addresses.instances
    if project is not None and unnamed(present):
        known = registered(addresses)
        present = named(present, known[0] if len(known) == 1 else _remembered(Path(addresses.home), present, known) or project)
    return changed(present, scale, project)


def _remembered(home: Path, instances: Iterable[Instance], known: Collection[str]) -> str | None:
    """The project that unnamed instances have worked for, which is one of several by now; None: they wait for one."""
    folders = (state_dir(home, instance) / instance.name for instance in instances if unnamed([instance]))
    return next((name for name in map(remembered_project, folders) if name in known), None)
