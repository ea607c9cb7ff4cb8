"""Which instances a stack runs, and for which projects. Pure; `stack` starts them."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from driftloop.contracts.services import INSTANCES, NOTIFIER, REGISTRY, SERVICES
from driftloop.local.errors import LocalStackError

ONE_OF_EACH: Mapping[str, int] = {name: int(not service.on_demand) for name, service in SERVICES.items()}  # in starting order
_ORDER = list(SERVICES)


class Instance(NamedTuple):
    """One process of a service. ``number`` counts a service's instances over all projects: port, log and name follow from it.

    ``project``: None for a service that all projects share, and for one that works for the only project registered.
    """

    service: str
    number: int
    project: str | None = None

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"


def instances_of(counts: Mapping[str, int]) -> list[Instance]:
    """So many of each service, for no project by name. Raises LocalStackError as ``check`` does."""
    return _arranged((), {(service, None): count for service, count in counts.items()})


def projects_of(instances: Iterable[Instance]) -> list[str]:
    """The projects that they work for by name, those of the lowest numbers first."""
    return list(dict.fromkeys(i.project for i in sorted(instances, key=lambda i: i.number) if i.project is not None))


def unnamed(instances: Iterable[Instance]) -> bool:
    """Whether there are some that work for the only project registered, whichever that is."""
    return any(i.project is None and SERVICES[i.service].for_project for i in instances)


def named(instances: Iterable[Instance], project: str) -> list[Instance]:
    """The same, with a name for what the unnamed ones work for."""
    return [i._replace(project=project) if i.project is None and SERVICES[i.service].for_project else i for i in instances]


def without(instances: Iterable[Instance], project: str) -> list[Instance]:
    """The same but for those of one project. Raises LocalStackError when there are none."""
    found = list(instances)
    if project not in projects_of(found):
        raise LocalStackError(f"nothing runs here for a project {project!r}; there is {', '.join(projects_of(found)) or 'none by name'}")
    return [i for i in found if i.project != project]


def restarted(instances: Iterable[Instance]) -> list[Instance]:
    """What a stack that ran these starts with the next time: one of each service, for each project with the number of before; of those
    that are started on demand only what ran."""
    found = list(instances)
    ran = {i.service for i in found}
    shared = [name for name, service in SERVICES.items() if not service.for_project and (name in ran or not service.on_demand)]
    wanted: dict[tuple[str, str | None], int] = dict.fromkeys(((name, None) for name in shared), 1)
    for project in (*projects_of(found), *((None,) if unnamed(found) else ())):
        wanted |= _one_of_each(project)
    return _arranged(found, wanted)


def changed(instances: Iterable[Instance], scale: Mapping[str, int], project: str | None = None) -> list[Instance]:
    """The same with other counts, and with one of each for ``project`` if it had none.

    A count of a service that works for a project is that of ``project``, or of the only one there is. An instance that stays keeps
    its number. Raises LocalStackError for counts that a stack cannot run.
    """
    found = list(instances)
    wanted: dict[tuple[str, str | None], int] = dict(Counter((i.service, i.project) for i in found))
    if project is not None and project not in projects_of(found):
        wanted |= _one_of_each(project)
    for service, count in scale.items():
        wanted[service, _project_of(service, found, project)] = count
    return _arranged(found, wanted)


def check(instances: Sequence[Instance]) -> None:
    """Raises LocalStackError for a service that there is not, more instances than a stack has ports for, or a second registry."""
    for name, count in Counter(i.service for i in instances).items():
        if name not in SERVICES:
            raise LocalStackError(f"there is no service {name!r}: choose from {', '.join(SERVICES)}")
        if count > INSTANCES:
            raise LocalStackError(f"{name}={count}: a stack runs 0 to {INSTANCES} instances of a service, those of all projects together")
        if name in (REGISTRY.name, NOTIFIER.name) and count > 1:
            raise LocalStackError(f"{name}={count}: a stack runs one {name}")


def _one_of_each(project: str | None) -> dict[tuple[str, str | None], int]:
    return {(name, project): 1 for name, service in SERVICES.items() if service.for_project}


def _project_of(service: str, instances: Sequence[Instance], project: str | None) -> str | None:
    if service not in SERVICES or not SERVICES[service].for_project:
        return None
    projects = projects_of(instances)
    if project is None and len(projects) + unnamed(instances) > 1:
        raise LocalStackError(f"{service} of which project? Say it with --project, the folder of one of {', '.join(projects)}")
    return project if project is not None else next(iter(projects), None)


def _arranged(present: Iterable[Instance], wanted: Mapping[tuple[str, str | None], int]) -> list[Instance]:
    found = sorted(present, key=lambda i: i.number)
    kept = {key: [i for i in found if (i.service, i.project) == key][:count] for key, count in wanted.items()}
    taken = {(i.service, i.number) for some in kept.values() for i in some}
    for (service, project), count in wanted.items():
        free = (n for n in itertools.count() if (service, n) not in taken)
        for number in itertools.islice(free, count - len(kept[service, project])):
            taken.add((service, number))
            kept[service, project].append(Instance(service, number, project))
    arranged = [i for some in kept.values() for i in some]
    check(arranged)
    return sorted(arranged, key=lambda i: (_ORDER.index(i.service), i.number))
