"""What a stack ran last, beside its data: the same projects come back with the next start."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from driftloop.local.errors import LocalStackError
from driftloop.local.instances import Instance


def keep_instances(home: Path, instances: Iterable[Instance]) -> None:
    """For the next start of this home."""
    path = _path(home)
    part = path.with_suffix(".part")
    part.write_text(as_json(instances) + "\n")
    os.replace(part, path)


def kept_instances(home: Path) -> list[Instance] | None:
    """What ran here last; None in a new home, and in one of a program that kept no list. Raises LocalStackError."""
    path = _path(home)
    try:
        return from_json(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as exc:
        raise LocalStackError(f"{path} is no list of instances ({exc}): remove it, then name each project once with up --project") from exc


def state_dir(home: Path, instance: Instance) -> Path:
    """Each project has its own: a number that becomes free may be another project's the next time."""
    states = home / "state"
    return states / instance.name if instance.project is None else states / "projects" / instance.project / instance.name


def as_json(instances: Iterable[Instance]) -> str:
    """As ``from_json`` reads it."""
    return json.dumps([list(instance) for instance in instances])


def from_json(text: str) -> list[Instance]:
    """Raises ValueError for anything else."""
    try:
        told = [(str(service), int(number), project) for service, number, project in json.loads(text)]
    except TypeError as exc:
        raise ValueError(str(exc)) from exc
    return [Instance(service, number, None if project is None else str(project)) for service, number, project in told]


def _path(home: Path) -> Path:
    return home / "instances.json"
