"""The environment that a model is fitted in: whatever may change its bytes. Run in the child, by the settings of the child."""

import hashlib
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import packages_distributions, version
from typing import Any

import msgspec

PACKAGES = ("joblib", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops", "threadpoolctl")
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
HASH_SEED = "0"
# OpenMP's threads spin at barriers by default: on a busy 2-core machine a fit of 60,000 rows then takes 17 to 127 s instead of 2.
WAIT_POLICY = {"OMP_WAIT_POLICY": "PASSIVE"}
# What the child may see of the environment. Credentials and settings of the service are none of it: users' code runs there.
_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV")


def child_variables(threads: int) -> dict[str, str]:
    """The environment variables of a training process."""
    variables = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    variables |= {name: str(threads) for name in THREAD_SETTINGS}
    return variables | WAIT_POLICY | {"PYTHONHASHSEED": HASH_SEED, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}


def packages_of(types: Iterable[str]) -> tuple[str, ...]:
    """Installed packages beside PACKAGES that the types, by their full names, are from; sorted."""
    modules = {name.partition(".")[0] for name in types}
    if not modules:
        return ()
    owners = packages_distributions()  # reads the file lists of all packages
    return tuple(sorted({package for module in modules for package in owners.get(module, ())} - set(PACKAGES)))


def describe_environment(trusted: Sequence[str] = ()) -> dict[str, Any]:
    """This process: Python, packages, CPU features, BLAS kernels, threads, hash seed.

    The packages are those that every fit uses, and those of the project's ``trusted`` types.
    """
    import numpy as np
    import scipy.linalg  # noqa: F401  loads scipy's own BLAS, so that it is listed
    import sklearn  # noqa: F401  loads OpenMP
    from threadpoolctl import threadpool_info

    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    pools = [{key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")} for pool in threadpool_info()]
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: version(name) for name in (*PACKAGES, *packages_of(trusted))},
        "cpu_features": sorted([*simd.get("baseline", ()), *simd.get("found", ())]),
        "thread_pools": sorted(pools, key=lambda pool: str(sorted(pool.items(), key=str))),
        "threads": {name: os.environ.get(name) for name in THREAD_SETTINGS},
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
    }


def environment_digest(environment: dict[str, Any]) -> str:
    """sha256 of the canonical JSON, hex."""
    return hashlib.sha256(msgspec.json.encode(environment, order="deterministic")).hexdigest()


if __name__ == "__main__":
    import sys

    sys.stdout.write(msgspec.json.encode(describe_environment(sys.argv[1:]), order="deterministic").decode())
