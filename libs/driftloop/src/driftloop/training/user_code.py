"""The one place where a project's Python runs: inside the training process."""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from driftloop.artifact import pipeline_files, skops_file
from driftloop.artifact.model_files import MODEL
from driftloop.contracts.estimator_files import ESTIMATOR_LIBRARIES, missing
from driftloop.errors import UserError
from driftloop.project.model import PIPELINE_FILE

MAX_DETAIL_CHARACTERS = 4000


class PipelineError(UserError):
    """The project's code raised. ``detail`` is its traceback."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail


def _raised(exc: BaseException, doing: str) -> PipelineError:
    trace = "".join(traceback.format_exception(exc))
    if isinstance(exc, ModuleNotFoundError) and exc.name in ESTIMATOR_LIBRARIES:
        return PipelineError(f"{doing}: {missing(exc.name)}", trace[-MAX_DETAIL_CHARACTERS:])
    reason = f"{doing} raised {type(exc).__name__}: {exc}"[:500]
    return PipelineError("; ".join([reason, *getattr(exc, "__notes__", ())]), trace[-MAX_DETAIL_CHARACTERS:])


def load_build(files: Mapping[str, bytes], folder: Path) -> Callable[[], Any]:
    """The project's ``build``. Its modules are laid out in ``folder``, so that they can import one another."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        if name.endswith(".py") and Path(name).name == name:
            (folder / name).write_bytes(data)
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(Path(PIPELINE_FILE).stem, folder / PIPELINE_FILE)
    if spec is None or spec.loader is None:
        raise UserError(f"{PIPELINE_FILE} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        raise _raised(exc, f"importing {PIPELINE_FILE}") from exc
    build = getattr(module, "build", None)
    if not callable(build):
        raise UserError(f"{PIPELINE_FILE} has no function build()")
    return build  # type: ignore[no-any-return]


def call(doing: str, step: Callable[[], Any]) -> Any:
    """``step()``, with whatever the user's code raises told apart from our own errors."""
    try:
        return step()
    except UserError:
        raise
    except (Exception, SystemExit) as exc:
        raise _raised(exc, doing) from exc


def dump_checked(pipeline: Any, files: Mapping[str, bytes], trusted: tuple[str, ...]) -> tuple[dict[str, bytes], Any]:
    """The model's files, and the pipeline as the predictor will load it. Raises UserError naming what stands in the way."""
    data = pipeline_files.dump(pipeline)
    own = {Path(name).stem for name in files if name.endswith(".py")}
    local = sorted(name for name in skops_file.types_in(data[MODEL]) if name.partition(".")[0] in own)
    if local:
        raise UserError(
            f"the pipeline holds {', '.join(local)} from the project folder, which the predictor does not import: "
            "use an installed package's and name it under [training] trusted_types"
        )
    try:
        return data, pipeline_files.load(data, trusted)
    except skops_file.UntrustedTypes as exc:
        raise UserError(
            f"the pipeline holds types that are not trusted: {', '.join(exc.types)}; name them under [training] trusted_types "
            "if they come from installed packages that you trust"
        ) from exc
