"""A prediction explained, in the process that answers one question: the version is loaded as the predictor loads it, every byte
verified first, within bounds of memory and processor time."""

import resource
from typing import Any

import msgspec
import pyarrow as pa

from driftloop.artifact.explanation import explain
from driftloop.artifact.model_files import load_model
from driftloop.client.connections import Connections
from driftloop.client.models import model
from driftloop.client.tracing import trace
from driftloop.contracts.recalibration import RECALIBRATION_EPOCH
from driftloop.errors import IntegrityError, ObjectNotFound, TransientError, UserError
from driftloop.lineage.trace import Trace as Traced
from driftloop.project.archives import load_project
from driftloop.registry.state import ModelState, ModelVersion
from driftloop.rows.schemas import TIME, feature_fields
from driftloop.statistics.profile import Profile
from driftloop_console.asking import Explain

MAX_MEMORY = 6 * 2**30  # of addresses, most of which libraries reserve and never touch
MAX_PROCESSOR_SECONDS = 45
SAME = 1e-9  # of two scores of the same bytes


def explained(question: Explain, to: Connections) -> dict[str, Any]:
    """The trace, and the explanation or why there is none: one question, since finding the row takes longest. Raises as a trace does."""
    found = trace(to, question.event, stream=question.stream, time=question.time, every_file=False, say=lambda _: None)
    explanation, why_not = None, None
    try:
        explanation = _explanation(found, to)
    except (UserError, ObjectNotFound, IntegrityError, TransientError) as exc:
        why_not = str(exc)
    return {"trace": msgspec.to_builtins(found), "explanation": explanation, "why_not": why_not}


def _explanation(found: Traced, to: Connections) -> dict[str, Any]:
    """Raises UserError where there is nothing to explain or the pipeline says no, IntegrityError for damaged bytes, TransientError."""
    bounded()
    known, version = _scored_by(found, to)
    assert known.project is not None
    project, name = load_project(to.store, known.project), known.project.project
    loaded = load_model(to.store, known.model, version.manifest, project.schema, project.training.trusted_types, project=name)
    schema = loaded.scorer.schema
    row = pa.Table.from_pylist([found.prediction], schema=pa.schema([*feature_fields(schema), pa.field("event_time", TIME)]))
    try:
        told = explain(loaded.scorer, Profile.decode(loaded.profile_bytes), row)
    except Exception as exc:
        raise UserError(f"the pipeline of version {version.version} has no answer for this row: {str(exc)[:300]}") from exc
    recorded = found.prediction.get("score")
    corrected = found.prediction.get(RECALIBRATION_EPOCH) is not None
    same = None if corrected or not isinstance(recorded, float) else abs(recorded - told.score) <= SAME * max(1.0, abs(recorded))
    answer: dict[str, Any] = msgspec.to_builtins(told)
    return answer | {"version": version.version, "manifest": loaded.digest, "recorded": recorded, "same": same, "corrected": corrected}


def bounded() -> None:
    """Of this process, from now on: a model's bytes are somebody's, and what they do is not known."""
    for what, most in ((resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_CPU, MAX_PROCESSOR_SECONDS), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _scored_by(found: Traced, to: Connections) -> tuple[ModelState, ModelVersion]:
    if found.version is None or found.model is None:
        raise UserError("no model scored this row: there is nothing to explain")
    known = model(to.registry, found.model).state()
    version = known.version(found.version)
    if version is None or known.project is None:
        raise UserError(f"the registry knows no version {found.version} of {found.model}")
    if version.served_elsewhere:
        raise UserError(f"version {found.version} is served elsewhere: there are no bytes of it here that could be asked")
    if known.state_of(found.version) == "deleted":
        raise UserError(
            f"version {found.version} of {found.model} was deleted: its bytes may be gone, and a deleted version answers nobody"
        )
    return known, version
