"""The champion in this process: followed in the registry log, loaded in the background, swapped in between two batches."""

import time
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from driftloop import metrics
from driftloop.artifact.model_files import load_manifest, load_model
from driftloop.artifact.scoring import Scorer
from driftloop.errors import ConfigurationError, IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.ports import ObjectStore
from driftloop.project.model import Project
from driftloop.registry.fold import ModelState, RegistryReader, RegistryState
from driftloop.rows.schemas import request_schema
from driftloop.service.process import Stop
from driftloop.stored import ObjectLister, ObjectReader
from driftloop.supervised import SupervisedThread
from driftloop.telemetry import get_logger
from driftloop.training.parity import Parity, further_packages, parity, scoring_environment
from driftloop_predictor.last_good import KeptModel, LastGood, Reads
from driftloop_predictor.serving import CanaryModel, ScoringModel, pointer_to

REFUSED_SECONDS = 60.0  # someone may repair the object
LOOK_SECONDS = 10.0  # without news of the log
# What loading a version means by "this is no model for me": an object that is not as it was named, or an archive of a project
# that this release cannot read. Anything else is a fault, and its traceback is in the log; the version is refused all the same.
BAD_MODEL = (IntegrityError, ObjectNotFound, UserError, zipfile.BadZipFile)
WAIT_SECONDS = 0.02
KEEP_LOADED = 3  # models in memory, so that moving an alias back is instant

log = get_logger(__name__)


class EnvironmentDiffers(IntegrityError):
    """The project refuses a model that was fitted with other packages than those that would score it."""


class ModelFollower:
    """``serving`` is the newest champion that loaded. It is only ever replaced by one of a higher alias epoch, or by
    itself with its answers corrected in another way or a canary beside it, of higher epochs of these records."""

    def __init__(self, project: Project, *, reader: RegistryReader, store: ObjectStore, last_good: LastGood[KeptModel]) -> None:
        self._project, self._reader, self._store, self._last_good = project, reader, store, last_good
        self.serving: ScoringModel | None = None
        self.last_error: str | None = None
        self.bad_models = 0
        self.environment: Parity | None = None  # of the newest champion, taken up or refused
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._refused: dict[str, float] = {}  # manifest: when to try again
        self.thread = SupervisedThread("model", self._step)

    def start(self) -> "ModelFollower":
        """Return with the model kept on disk, if there is one, in service; then follow the log in the background."""
        self._take_kept()
        self.thread.start()
        return self

    def wait_for_first(self, stop: Stop, timeout_seconds: float) -> None:
        """Return when a model serves, or when there is none to wait for: no champion, or one that was refused.

        A process that starts without a model on disk would otherwise record traffic unscored while it loads the champion.
        After the timeout, or at a stop, go on without: the store may be away for long.
        """
        deadline = time.monotonic() + timeout_seconds
        while (self._canary_to_come if self.serving else self.loadable) and time.monotonic() < deadline:
            if stop.wait(WAIT_SECONDS):
                return

    @property
    def loadable(self) -> bool:
        """Whether there is a champion of ours that has not been refused."""
        model = self._reader.state().model(self._project.model)
        champion = model.champion if model else None
        return champion is not None and not champion.served_elsewhere and champion.manifest not in self._refused

    @property
    def _canary_to_come(self) -> bool:
        """Whether entities would be answered by the champion for want of their canary, which loads: after a start they are the canary's."""
        model, serving = self._reader.state().model(self._project.model), self.serving
        version = model.version(model.canary.version) if model is not None and model.canary is not None else None
        if model is None or version is None or serving is None or version.manifest in self._refused:
            return False
        return serving.canary_epoch < model.canary_epoch

    def stop(self) -> None:
        self.thread.stop()

    def on_state(self, _state: RegistryState) -> None:
        """Subscribe this to the follower of the log."""
        self.thread.wake()

    @property
    def up_to_date(self) -> bool:
        """Whether the champion of the registry, as known here, is the one that scores, corrected as there (or there is none)."""
        model = self._reader.state().model(self._project.model)
        if model is None or model.champion is None or model.champion.served_elsewhere:
            return True
        return self.serving is not None and _place(model) <= self.serving.place

    def _step(self) -> None:
        """A champion that cannot be reached is tried again at once and then ever later; one that is bad, or that this release cannot
        read, is refused for a while, and the last good one serves on."""
        try:
            self.catch_up()
        except (TransientError, ConfigurationError) as exc:
            self._failed("model-not-reached", exc)
            raise
        except Exception as exc:
            self.bad_models += 1
            self._failed("model-refused", exc)
            if not isinstance(exc, BAD_MODEL):
                raise
        self.thread.wait(LOOK_SECONDS)

    def catch_up(self) -> None:
        """Take up the registry's champion. Raises what loading raises; what serves then goes on serving."""
        model = self._reader.state().model(self._project.model)
        champion = model.champion if model else None
        if model is None or champion is None:
            return
        epoch, current = model.champion_epoch, self.serving
        if champion.served_elsewhere:
            self._give_up(epoch)
            return
        if current is not None and epoch <= current.epoch:
            if epoch < current.epoch or champion.manifest != current.digest:
                self.last_error = f"the log's champion is of epoch {epoch}, this process already serves epoch {current.epoch}"
            elif current.place < _place(model):
                self._correct(current, model)
            return
        if self._refused.get(champion.manifest, 0.0) > time.monotonic():
            return
        try:
            loaded = self._loaded.get(champion.manifest) or self._load(self._store, champion.manifest)
        except (TransientError, ConfigurationError):
            raise
        except Exception:
            self._refused = {champion.manifest: time.monotonic() + REFUSED_SECONDS}
            raise
        serving = _corrected(ScoringModel(self._project.model, champion.version, epoch, champion.manifest, loaded.scorer), model)
        self._serve(serving, loaded)
        self.last_error = None
        self._keep(serving)
        self._follow_canary(serving, model)

    def _give_up(self, epoch: int) -> None:
        """The champion is another system's again: this process answers for nobody, nor does it after a restart."""
        current = self.serving
        if current is None or current.epoch >= epoch:
            return
        self._last_good.forget()
        self.serving = None
        metrics.MODEL_VERSION.labels(current.model).set(0)
        log.info("model-given-up", model=current.model, version=current.version, epoch=epoch)

    def _correct(self, current: ScoringModel, model: ModelState) -> None:
        """The same model goes on, with its answers corrected as the registry says now; nothing is loaded."""
        serving = _corrected(current, model)
        if serving.place != current.place:
            self._swap(serving)
        self._follow_canary(serving, model)

    def _follow_canary(self, serving: ScoringModel, model: ModelState) -> None:
        """Who answers a share of the entities beside the champion that serves. Where loading raises, the champion answers all."""
        record = model.canary
        version = model.version(record.version) if record is not None else None
        if record is None or version is None or serving.canary_epoch == model.canary_epoch:
            return
        if serving.canary is not None and serving.canary.version != record.version:
            serving = serving._replace(canary=None)
            self._swap(serving)
        if self._refused.get(version.manifest, 0.0) <= time.monotonic():
            loaded = self._loaded_canary(serving, version.manifest)
            canary = CanaryModel(record.version, record.epoch, record.share, version.manifest, loaded.scorer)
            self._swap(serving._replace(canary_epoch=model.canary_epoch, canary=canary))
            self.last_error = None

    def _loaded_canary(self, serving: ScoringModel, manifest: str) -> "_Loaded":
        try:
            found = self._loaded.get(manifest) or self._load(self._store, manifest)
        except (TransientError, ConfigurationError):
            raise
        except Exception:
            self._refused = self._refused | {manifest: time.monotonic() + REFUSED_SECONDS}
            raise
        finally:
            self._show(self._loaded[serving.digest].environment)  # the champion's is what is told
        self._loaded[manifest] = found
        return found

    def _swap(self, serving: ScoringModel) -> None:
        self._serve(serving, self._loaded[serving.digest])
        self._keep(serving)

    def _take_kept(self) -> None:
        kept = self._last_good.pointer()
        if kept is None or kept.model != self._project.model:
            return
        try:
            loaded = self._load(self._last_good, kept.manifest)
        except Exception as exc:  # noqa: BLE001  whatever is wrong with what was kept, the registry may know better
            self._failed("kept-model-refused", exc)
            return
        corrected = (kept.recalibration_epoch, kept.recalibration)
        beside = self._kept_canary(kept)
        self._serve(ScoringModel(kept.model, kept.version, kept.epoch, kept.manifest, loaded.scorer, *corrected, *beside), loaded)

    def _kept_canary(self, kept: KeptModel) -> tuple[int, CanaryModel | None]:
        """With its record's epoch, which is 0 where its files are not what they were: then the registry's word is new."""
        found = kept.canary
        if found is None:
            return kept.canary_epoch, None
        try:
            loaded = self._loaded[found.manifest] = self._load(self._last_good, found.manifest)
        except Exception as exc:  # noqa: BLE001  as of the champion's
            self._failed("kept-model-refused", exc)
            return 0, None
        return kept.canary_epoch, CanaryModel(found.version, found.epoch, found.share, found.manifest, loaded.scorer)

    def _load(self, store: ObjectLister, manifest: str) -> "_Loaded":
        started, project, reads = time.monotonic(), self._project, Reads(store)
        environment = self._compared(reads, manifest)
        model = load_model(reads, project.model, manifest, project.schema, project.training.trusted_types, project=project.name)
        model.scorer.score(_one_row(project))  # what is built at the first call is built here
        if (why := model.scorer.unrecordable) is not None:
            log.warning("probabilities-not-recorded", model=project.model, manifest=manifest, reason=why)
        log.info("model-loaded", model=project.model, manifest=manifest, seconds=round(time.monotonic() - started, 3))
        return _Loaded(model.scorer, reads.objects, environment)

    def _compared(self, store: ObjectReader, manifest: str) -> Parity:
        """Before a byte of the model is parsed. Raises EnvironmentDiffers when the project says so."""
        name, setting = self._project.model, self._project.serving.environment
        trained = load_manifest(store, name, manifest).environment
        found = parity(trained, scoring_environment(further_packages(trained)))
        self._show(found)
        if not found.same:
            log.warning("environment-differs", model=name, manifest=manifest, setting=setting, differences=str(found))
            if setting == "refuse":
                raise EnvironmentDiffers(f"models/{name}/{manifest} was fitted in another environment: {found}")
        return found

    def _show(self, environment: Parity) -> None:
        self.environment = environment
        metrics.ENVIRONMENT_DIFFERENCES.labels(self._project.model).set(len(environment.differences))

    def _serve(self, serving: ScoringModel, loaded: "_Loaded") -> None:
        self._loaded[serving.digest] = loaded
        self._loaded.move_to_end(serving.digest)
        if serving.canary is not None:
            self._loaded.move_to_end(serving.canary.digest)
        while len(self._loaded) > KEEP_LOADED:
            self._loaded.popitem(last=False)
        self.serving = serving
        self._show(loaded.environment)
        metrics.MODEL_VERSION.labels(serving.model).set(serving.version)
        metrics.ALIAS_EPOCH.labels(serving.model).set(serving.epoch)
        metrics.RECALIBRATION_EPOCH.labels(serving.model).set(serving.corrected_by or 0)
        place = {"epoch": serving.epoch, "recalibration_epoch": serving.corrected_by, "rule": serving.rule}
        log.info("model-swapped", model=serving.model, version=serving.version, manifest=serving.digest, **place)

    def _keep(self, serving: ScoringModel) -> None:
        objects = dict(self._loaded[serving.digest].objects)
        if serving.canary is not None:
            objects |= self._loaded[serving.canary.digest].objects
        try:
            self._last_good.keep(pointer_to(serving), objects)
        except OSError as exc:  # a full disk stops nobody from scoring: it costs the next start its head start
            self._failed("model-not-kept", exc)

    def _failed(self, event: str, exc: Exception) -> None:
        self.last_error = f"{event}: {exc}"
        log.warning(event, model=self._project.model, reason=str(exc))


class _Loaded(NamedTuple):
    """A model in memory, and the bytes that it was made from."""

    scorer: Scorer
    objects: Mapping[str, bytes]
    environment: Parity


def _place(model: ModelState) -> tuple[int, int, int]:
    return model.champion_epoch, model.recalibration_epoch, model.canary_epoch


def _corrected(serving: ScoringModel, model: ModelState) -> ScoringModel:
    """With what the registry's records say now; a canary that is in force is to be loaded yet."""
    corrected = serving._replace(recalibration_epoch=model.recalibration_epoch, recalibration=model.recalibration_in_force)
    return corrected if model.canary is not None else corrected._replace(canary_epoch=model.canary_epoch, canary=None)


def _one_row(project: Project) -> pa.Table:
    row = {"event_id": "warm-up", "event_time": 0, "entity": "warm-up"}
    return pa.Table.from_pylist([row], schema=request_schema(project.schema))
