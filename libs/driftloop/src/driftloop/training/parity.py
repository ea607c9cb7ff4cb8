"""Is a model scored by what it was fitted with? Of the environments only what may change a score is compared.

Compared are Python (major and minor), system and machine, and the packages that turn rows into scores. Not compared:
threads (a predictor scores with one, on purpose), CPU features and BLAS kernels (they change the last digits of a fit,
not a fitted tree's answer), and packages that only training has.
Those of the types that the project trusts are compared. Values in, values out, but for ``scoring_environment``.
"""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from driftloop.contracts.values import Difference, Part
from driftloop.training.environment import PACKAGES, environment_digest
from driftloop.training.environment_difference import differences

SCORING_PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")


class Parity(Part, frozen=True, kw_only=True):
    """Digests of the compared parts, here and where the model was fitted; equal exactly if there are no differences."""

    here: str
    trained: str
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        if self.same:
            return "as trained"
        return "; ".join(f"{d.what} {d.recorded or 'unknown'} in training, {d.now or 'none'} here" for d in self.differences)


def further_packages(environment: Mapping[str, Any]) -> tuple[str, ...]:
    """Packages of the types that the project trusts, in an environment as ``training.environment`` describes it."""
    return tuple(sorted(set(environment.get("packages") or ()) - {*PACKAGES, *SCORING_PACKAGES}))


def scoring_part(environment: Mapping[str, Any], further: Sequence[str] = ()) -> dict[str, Any]:
    """What matters for scoring, of an environment as ``training.environment`` describes it."""
    packages = environment.get("packages") or {}
    python = environment.get("python")
    return {
        "python": ".".join(str(python).split(".")[:2]) if python else None,
        "implementation": environment.get("implementation"),
        "system": environment.get("system"),
        "packages": {name: packages.get(name) for name in (*SCORING_PACKAGES, *further)},
    }


def scoring_environment(further: Sequence[str] = ()) -> dict[str, Any]:
    """This process, as far as it is compared with one that has ``further`` packages. Imports none of them."""
    return scoring_part(
        {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "system": f"{platform.system()} {platform.machine()}",
            "packages": {name: _version(name) for name in (*SCORING_PACKAGES, *further)},
        },
        further,
    )


def parity(trained: Mapping[str, Any], here: Mapping[str, Any]) -> Parity:
    """``trained``: the environment in a version's manifest. ``here``: that of ``scoring_environment``."""
    further = further_packages(trained)
    then, now = scoring_part(trained, further), scoring_part(here, further)
    return Parity(here=environment_digest(now), trained=environment_digest(then), differences=differences(then, now))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
