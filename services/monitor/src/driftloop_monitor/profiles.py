"""The profiles of model versions, fetched by the manifest that the registry log names, verified, and kept.

One that is lost holds up nobody: without it rows are counted and not compared.
"""

import itertools
import threading
import time
from collections.abc import Callable

import msgspec

from driftloop.artifact.model_files import PROFILE, load_file, load_manifest
from driftloop.artifact.watched_profile import watched_profile
from driftloop.errors import IntegrityError, InvalidMessage, ObjectNotFound, TransientError
from driftloop.monitoring.partition_fold import ProfileNeeded
from driftloop.ports import ObjectStore
from driftloop.registry.fold import RegistryReader
from driftloop.statistics.histograms import Counter
from driftloop.statistics.profile import Profile
from driftloop.telemetry import get_logger

LOST_SECONDS = 60.0  # so long rows wait for bytes that somebody may restore
UNKNOWN_SECONDS = 60.0  # a predictor may know a version before this process does, but not by so much

log = get_logger(__name__)


KEPT = 256  # profiles, those asked for last; more only while they are in use
IN_USE_SECONDS = 60.0  # since one was asked for: what takes several at once must find all of them
KEPT_UNKNOWN = 10_000  # numbers of versions that nobody has registered: strangers name them


class Profiles:
    """Fetches a profile once, unless KEPT others were asked for since: a version's bytes do not change."""

    def __init__(
        self, model: str, registry: RegistryReader, store: ObjectStore, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._model, self._registry, self._store, self._now = model, registry, store, monotonic
        self._unknown_since: dict[int, float] = {}
        self._missed_since: dict[int, float] = {}
        self._loaded: dict[int, tuple[str, Counter]] = {}
        self._asked: dict[int, tuple[float, int]] = {}  # when each was asked for last, and by the how many-eth question
        self._times = itertools.count()
        self._loading = threading.Lock()

    def counter(self, version: int) -> tuple[str, Counter]:
        """Digest and counter of a version's profile. Raises ProfileNeeded until it was loaded."""
        found = self._loaded.get(version)
        if found is None:
            raise ProfileNeeded(version)
        self._asked[version] = self._now(), next(self._times)
        return found

    def profile(self, version: int) -> tuple[str, Profile]:
        """Raises ProfileNeeded."""
        digest, counter = self.counter(version)
        return digest, counter.profile

    def known(self, version: int) -> Profile | None:
        """A version's profile, loaded if need be; None for a version that nobody has registered. Raises TransientError."""
        try:
            return self.profile(version)[1]
        except ProfileNeeded:
            pass
        try:
            self.load(version)
        except InvalidMessage:
            return None
        return self.profile(version)[1]

    def load(self, version: int) -> None:
        """Raises TransientError while the version is not registered yet, or its profile cannot be had or is not intact;
        InvalidMessage for a version that nobody has registered for so long that it does not exist.

        A profile that is gone or damaged for good is replaced by one without columns (``Profile.lost``): what the stream
        brings goes on. Of a deleted version that is at once, since releases before this one removed its profile.
        """
        with self._loading:
            if version in self._loaded:
                return
            model = self._registry.state().model(self._model)
            known = None if model is None else model.version(version)
            if model is None or known is None:
                since = self._unknown_since.setdefault(version, self._now())
                if len(self._unknown_since) > KEPT_UNKNOWN:
                    del self._unknown_since[next(iter(self._unknown_since))]
                if self._now() - since >= UNKNOWN_SECONDS:
                    raise InvalidMessage(f"names version {version} of {self._model}, which is not in the registry log")
                raise TransientError(f"version {version} of {self._model} is not in the registry log yet")
            try:
                digest = known.manifest
                if known.watched is not msgspec.UNSET:
                    self._keep(version, *watched_profile(self._store, self._model, known.manifest, known.watched))
                    return
                manifest = load_manifest(self._store, self._model, known.manifest)
                digest = manifest.files[PROFILE].sha256
                data = load_file(self._store, manifest, known.manifest, PROFILE)
                self._keep(version, digest, Counter(Profile.decode(data)))
            except (ObjectNotFound, IntegrityError) as exc:
                if model.state_of(version) != "deleted" and not self._missed_long(version):
                    raise TransientError(f"profile of version {version}: {exc}") from exc
                log.error("profile-lost", model=self._model, version=version, reason=str(exc))
                self._keep(version, digest, Counter(Profile.lost()))

    def _keep(self, version: int, digest: str, counter: Counter) -> None:
        while len(self._loaded) >= KEPT:
            oldest = min(self._loaded, key=self._asked.__getitem__)
            if self._now() - self._asked[oldest][0] < IN_USE_SECONDS:
                break
            del self._loaded[oldest]
            del self._asked[oldest]
        self._asked[version] = self._now(), next(self._times)
        self._loaded[version] = digest, counter

    def _missed_long(self, version: int) -> bool:
        now = self._now()
        return now - self._missed_since.setdefault(version, now) >= LOST_SECONDS
