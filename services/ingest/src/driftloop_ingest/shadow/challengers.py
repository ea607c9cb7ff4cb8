"""The challenger in this process: as the registry's log names it, loaded when it is needed."""

import time
from collections.abc import Callable
from typing import NamedTuple

from driftloop.artifact.model_files import load_manifest, load_model
from driftloop.artifact.scoring import Scorer
from driftloop.errors import ConfigurationError, IntegrityError, TransientError
from driftloop.project.model import Project
from driftloop.registry.fold import Alias, RegistryReader, RegistryState
from driftloop.stored import ObjectLister
from driftloop.telemetry import get_logger
from driftloop.training.parity import further_packages, parity, scoring_environment
from driftloop_ingest.shadow.progress import Account

REFUSED_SECONDS = 60.0  # someone may repair the object

log = get_logger(__name__)


class Challenger(NamedTuple):
    """A version that answers beside the champion, from ``since_ms`` on (wall time, ms since 1970) by the alias of this epoch."""

    version: int
    epoch: int
    since_ms: int
    scorer: Scorer


class Challengers:
    """For one thread. ``last_error`` of ``account``: why there is none though the log names one."""

    def __init__(
        self,
        project: Project,
        reader: RegistryReader,
        store: ObjectLister,
        account: Account,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._project, self._reader, self._store, self._account, self._monotonic = project, reader, store, account, monotonic
        self._state: RegistryState | None = None
        self._named: Alias | None = None
        self._loaded: Challenger | None = None
        self._refused: tuple[str, float] | None = None  # manifest, and when to try it again

    def since_ms(self) -> int | None:
        """From when on the messages matter; None while nobody is a challenger. Loads nothing."""
        named = self._now_named()
        return None if named is None else _ms(named)

    def now(self) -> Challenger | None:
        """None while the log names nobody, or one that cannot be loaded. Raises TransientError when the store is away."""
        named = self._now_named()
        if named is None:
            self._loaded = None
        elif self._loaded is None or (self._loaded.version, self._loaded.epoch) != (named.version, named.epoch):
            self._loaded = self._load(named)
        self._account.version = None if self._loaded is None else self._loaded.version
        self._account.epoch = None if self._loaded is None else self._loaded.epoch
        return self._loaded

    def _now_named(self) -> Alias | None:
        state = self._reader.state()
        if state is not self._state:
            model = state.model(self._project.model)
            self._state, self._named = state, None if model is None else model.challenger
        return self._named

    def _load(self, named: Alias) -> Challenger | None:
        if self._loaded is not None and self._loaded.version == named.version:
            return self._loaded._replace(epoch=named.epoch, since_ms=_ms(named))
        manifest = self._manifest(named)
        if self._refused is not None and self._refused[0] == manifest and self._refused[1] > self._monotonic():
            return None
        try:
            scorer = self._scorer(manifest)
        except (TransientError, ConfigurationError):
            raise
        except Exception as exc:  # noqa: BLE001  the bytes are a stranger's; the champion's rows wait for nobody
            self._refused = manifest, self._monotonic() + REFUSED_SECONDS
            self._account.last_error = f"version {named.version} cannot be loaded: {exc}"
            log.warning("challenger-refused", model=self._project.model, version=named.version, manifest=manifest, reason=str(exc))
            return None
        self._refused, self._account.last_error = None, None
        log.info("challenger-loaded", model=self._project.model, version=named.version, manifest=manifest, epoch=named.epoch)
        return Challenger(named.version, named.epoch, _ms(named), scorer)

    def _manifest(self, named: Alias) -> str:
        model = None if self._state is None else self._state.model(self._project.model)
        version = None if model is None else model.version(named.version)
        assert version is not None, "an alias points at a version of its model"
        return version.manifest

    def _scorer(self, manifest: str) -> Scorer:
        project = self._project
        if project.serving.environment == "refuse":
            trained = load_manifest(self._store, project.model, manifest).environment
            found = parity(trained, scoring_environment(further_packages(trained)))
            if not found.same:
                raise IntegrityError(f"it was fitted in another environment: {found}")
        trusted = project.training.trusted_types
        return load_model(self._store, project.model, manifest, project.schema, trusted, project=project.name).scorer


def _ms(alias: Alias) -> int:
    return int(alias.since.timestamp() * 1000)
