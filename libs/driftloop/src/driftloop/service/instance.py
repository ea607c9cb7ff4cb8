"""``python -m driftloop.service.instance predictor``: start a service as the first instance that is free.

Replicas of one Compose service share a volume and have the same settings, but a name, a cache and a faust data directory of their own
must come back after a restart. Each takes the lowest number whose lock nobody holds and becomes, say, predictor-1 with the state
directory <STATE_DIR>/predictor-1. The kernel lets the lock go when the process ends, however it ends.
"""

import fcntl
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from driftloop.contracts.services import INSTANCES
from driftloop.errors import ConfigurationError
from driftloop.service.process import EXIT_CONFIGURATION
from driftloop.service.project import remember_project, remembered_project
from driftloop.settings import Environment


def main() -> None:
    service = sys.argv[1]
    try:
        claim_slot(service, os.environ)
    except ConfigurationError as exc:
        sys.stderr.write(f"driftloop {service}: {exc}\n")
        sys.exit(EXIT_CONFIGURATION)
    os.execv(sys.executable, [sys.executable, "-m", f"driftloop_{service}"])


def claim_slot(service: str, variables: MutableMapping[str, str]) -> int:
    """Name instance and state directory in ``variables``; the slot is held until this process, or what it becomes, ends.

    Raises ConfigurationError when all are taken or the state directory cannot be written.
    """
    env = Environment(service, variables)
    state = Path(env.text("STATE_DIR"))
    for number in range(INSTANCES):
        folder = state / f"{service}-{number}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise ConfigurationError(f"{env.prefix}STATE_DIR: cannot write {folder}: {exc.strerror}") from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        os.set_inheritable(lock, True)  # across the exec; children of the service do not get it
        variables[f"{env.prefix}INSTANCE"], variables[f"{env.prefix}STATE_DIR"] = folder.name, str(folder)
        _join_the_others(folder)
        return number
    raise ConfigurationError(f"{env.prefix}STATE_DIR: all {INSTANCES} slots in {state} are taken by running instances")


def _join_the_others(folder: Path) -> None:
    """Replicas work for one project: a new one for that of the others, also when more are registered by now."""
    if remembered_project(_state(folder)) is not None:
        return
    others = sorted(folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*"))
    known = next((name for name in map(remembered_project, map(_state, others)) if name is not None), None)
    if known is not None:
        remember_project(_state(folder), known)


def _state(folder: Path) -> Path:
    return folder / folder.name  # as the service makes it of STATE_DIR and INSTANCE


if __name__ == "__main__":
    main()
