"""What a version is made of, and what differs between two, read from the store in the process that answers one question."""

import difflib
from typing import Any

import msgspec

from driftloop.artifact.model_files import CARD, PROFILE, Manifest, load_file, load_manifest
from driftloop.errors import IntegrityError, ObjectNotFound, UserError
from driftloop.ports import ObjectStore
from driftloop.project.archives import archive_bytes, file_of_archive
from driftloop.statistics.profile import Profile
from driftloop.training.environment_difference import differences
from driftloop_console.asking import Differ, Made

SOURCES = ("driftloop.toml", "pipeline.py")  # rules and parameters
MAX_TEXT = 200_000  # characters of a card, or of a file
MAX_DIFFERENCE_LINES = 400
SHOWN = 200


class _Parts:
    """Of one version, each as far as it can be had; ``missing``: what cannot, in sentences."""

    def __init__(self, of: Made, store: ObjectStore) -> None:
        self.missing: list[str] = []
        self._of, self._store = of, store
        self.manifest: Manifest | None = self._had("manifest", lambda: load_manifest(store, of.model, of.manifest))
        self.card: str | None = self._had("card", self._card)
        self.profile: Profile | None = self._had("profile", self._profile)
        self.sources: dict[str, str] = self._had("project", self._sources) or {}

    def _had(self, what: str, get: Any) -> Any:
        try:
            return get()
        except (ObjectNotFound, IntegrityError, UserError) as exc:
            self.missing.append(f"its {what} cannot be shown: {exc}")
            return None

    def _card(self) -> str | None:
        return None if self.manifest is None else self._file(CARD).decode(errors="replace")[:MAX_TEXT]

    def _profile(self) -> Profile | None:
        return None if self.manifest is None else Profile.decode(self._file(PROFILE))

    def _file(self, name: str) -> bytes:
        assert self.manifest is not None
        return load_file(self._store, self.manifest, self._of.manifest, name)

    def _sources(self) -> dict[str, str]:
        if self._of.project is None or self._of.archive is None:
            return {}
        data = archive_bytes(self._store, self._of.project, self._of.archive)
        return {name: file_of_archive(data, name).decode(errors="replace")[:MAX_TEXT] for name in SOURCES}

    @property
    def importance(self) -> dict[str, float]:
        told = None if self.profile is None else self.profile.importance
        return told if isinstance(told, dict) else {}


def made(of: Made, store: ObjectStore) -> dict[str, Any]:
    """Raises TransientError; what else cannot be had is among ``missing``."""
    found = _Parts(of, store)
    manifest = found.manifest
    return {
        "card": found.card,
        "files": {} if manifest is None else {name: file.size for name, file in sorted(manifest.files.items())},
        "environment": {} if manifest is None else manifest.environment.get("packages") or {},
        "importance": sorted(found.importance.items(), key=lambda item: (-item[1], item[0]))[:SHOWN],
        "missing": found.missing,
    }


def differ(of: Differ, store: ObjectStore) -> dict[str, Any]:
    """Raises TransientError; what else cannot be had is among ``missing``."""
    a, b = _Parts(of.a, store), _Parts(of.b, store)
    environments = (None if each.manifest is None else each.manifest.environment for each in (a, b))
    ours, theirs = environments
    return {
        "sources": {
            name: _difference(name, a.sources[name], b.sources[name]) for name in SOURCES if name in a.sources and name in b.sources
        },
        "environment": [] if ours is None or theirs is None else msgspec.to_builtins(differences(ours, theirs))[:SHOWN],
        "importance": _importance(a.importance, b.importance),
        "held_out_loss": [_loss(each.profile) for each in (a, b)],
        "training_rows": [None if each.profile is None else each.profile.rows for each in (a, b)],
        "missing": [f"of {which}: {sentence}" for which, each in (("the first", a), ("the second", b)) for sentence in each.missing],
    }


def _difference(name: str, a: str, b: str) -> str:
    lines = list(difflib.unified_diff(a.splitlines(), b.splitlines(), f"a/{name}", f"b/{name}", lineterm="", n=2))
    more = [f"… {len(lines) - MAX_DIFFERENCE_LINES} more lines"] if len(lines) > MAX_DIFFERENCE_LINES else []
    return "\n".join([*lines[:MAX_DIFFERENCE_LINES], *more])


def _importance(a: dict[str, float], b: dict[str, float]) -> list[dict[str, Any]]:
    """By how far it differs."""
    names = sorted({*a, *b}, key=lambda name: (-abs(a.get(name, 0.0) - b.get(name, 0.0)), name))
    return [{"input": name, "a": a.get(name), "b": b.get(name)} for name in names[:SHOWN]]


def _loss(profile: Profile | None) -> dict[str, Any] | None:
    found = None if profile is None or profile.held_out_loss is msgspec.UNSET else profile.held_out_loss
    return None if found is None else {"loss": found.loss, "mean": found.mean, "rows": found.rows}
