"""A project: the folder a user owns, ``driftloop.toml`` and ``pipeline.py``, read, checked and archived by digest."""

import io
import itertools
import math
import tomllib
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.column_types import COLUMN_TYPES, FeatureType
from driftloop.contracts.evolution import clashes
from driftloop.contracts.names import NAME_PATTERN, is_name
from driftloop.contracts.schema import RESERVED, Feature, StreamSchema, Target
from driftloop.contracts.values import Window
from driftloop.contracts.windows import WindowPlan, parse_duration
from driftloop.errors import UserError
from driftloop.project import open_windows, policy_check
from driftloop.project.alarm_budget import alarm_budget
from driftloop.project.allowed_values import allowed_values
from driftloop.project.model import (
    CONFIG_FILE,
    PIPELINE_FILE,
    Project,
    Promotion,
    Serving,
    Training,
    archive_key,
)
from driftloop.project.recipes import ALLOWED, parse_recipe
from driftloop.project.rules import SHARES, BacktestData, Monitoring, Policy, default_thresholds
from driftloop.project.tables import FeatureTable, ProjectFile, WindowsTable
from driftloop.project.toml_lines import line_of
from driftloop.statistics.distances import STATISTICS
from driftloop.statistics.metrics import NoSuchMetric, check_declared, for_task

SHORTEST_RETENTION = timedelta(hours=1)
MOST_SEGMENTS = 3  # features; each is told with up to 21 segments in every report


def read_project(folder: Path) -> Project:
    """Read and check a project folder. Raises UserError with file, line and remedy."""
    files: dict[str, bytes] = {}
    for name in (CONFIG_FILE, PIPELINE_FILE):
        try:
            files[name] = (folder / name).read_bytes()
        except OSError as exc:
            raise UserError(f"{folder / name}: {exc.strerror or exc}; a project folder holds {CONFIG_FILE} and {PIPELINE_FILE}") from exc
    for path in sorted(folder.glob("*.py")):
        files[path.name] = path.read_bytes()
    project = parse_project(files, where=str(folder))
    # Not in parse_project: archives that are registered stay readable, whatever is refused today.
    if not project.training.candidates:
        line = line_of(files[CONFIG_FILE].decode(), "training.candidates")
        raise UserError(f"{folder / CONFIG_FILE}:{line}: training.candidates: name at least one recipe; {ALLOWED}")
    if (said := open_windows.problem(project.windows, project.allowed_lateness)) is not None:
        line = line_of(files[CONFIG_FILE].decode(), "stream.allowed_lateness")
        raise UserError(f"{folder / CONFIG_FILE}:{line}: {said}")
    return project


def open_archive(data: bytes) -> Project:
    """The project in an archive. One that ``Project.archive`` has not made stays what it is: its digest is that of ``data``."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    project = parse_project(files, where="archive")
    return project if project.archive() == data else msgspec.structs.replace(project, foreign_archive=data)


def parse_project(files: dict[str, bytes], where: str) -> Project:
    """Raises UserError with file, line and remedy."""
    source = f"{where}/{CONFIG_FILE}"
    try:
        text = files[CONFIG_FILE].decode("utf-8")
        table = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UserError(f"{source}: {exc}") from exc
    try:
        compile(files[PIPELINE_FILE], PIPELINE_FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as exc:
        line = getattr(exc, "lineno", None) or 1
        raise UserError(f"{where}/{PIPELINE_FILE}:{line}: {exc}") from exc
    try:
        return _check(_convert(table), files)
    except _Problem as problem:
        raise UserError(f"{source}:{line_of(text, problem.key)}: {problem.message}") from problem


RULES = ("policy", "training", "promotion", "monitoring")  # tables that a policy file may have


def with_policy(project: Project, text: str, source: str) -> Project:
    """The project under other rules: each setting in ``text``, TOML with some of the tables RULES, takes the place of the project's.

    Raises UserError with file, line and remedy.
    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise UserError(f"{source}: {exc}") from exc
    table = tomllib.loads(project.files[CONFIG_FILE].decode())
    try:
        for section, settings in written.items():
            if section not in RULES or not isinstance(settings, dict):
                raise _Problem(section, f"a policy file has the tables {', '.join(f'[{name}]' for name in RULES)}, not {section!r}")
            table[section] = table.get(section, {}) | settings
        return _check(_convert(table), project.files)
    except _Problem as problem:
        raise UserError(f"{source}:{line_of(text, problem.key)}: {problem.message}") from problem


class _Problem(Exception):
    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key, self.message = key, message


def _convert(table: dict[str, Any]) -> ProjectFile:
    known_sections = {
        "monitoring": Monitoring,
        "policy": Policy,
        "training": Training,
        "promotion": Promotion,
        "serving": Serving,
        "backtest": BacktestData,
    }
    for section, known in known_sections.items():
        written = table.get(section, {})
        if not isinstance(written, dict):
            raise _Problem(section, f"{section} is a table: write [{section}] and its settings below it")
        settings = _monitoring_settings() if known is Monitoring else known.__struct_fields__
        for key in written:
            if key not in settings:
                raise _Problem(f"{section}.{key}", f"unknown setting {key!r}; [{section}] knows {', '.join(settings)}")
    if "monitoring" in table:
        table = table | {"monitoring": _with_thresholds(table["monitoring"])}
    try:
        return msgspec.convert(table, type=ProjectFile)
    except msgspec.ValidationError as exc:
        message, _, path = str(exc).partition(" - at ")
        key = path.strip("`").removeprefix("$").lstrip(".")
        if "[...]" in key:  # msgspec does not name the entry of a dict: find the first that does not fit
            key = _bad_feature(table) or "features"
        if allowed := allowed_values(ProjectFile, key):
            message = f"{message}; one of {', '.join(allowed)}"
        raise _Problem(key, f"{key}: {message}" if key else message) from exc


def _monitoring_settings() -> tuple[str, ...]:
    """Of ``[monitoring]``: in the file a threshold stands beside the others, under its statistic's name."""
    return *(name for name in Monitoring.__struct_fields__ if name not in ("thresholds", "stated")), *STATISTICS


def _with_thresholds(written: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``Monitoring``."""
    thresholds = default_thresholds()
    for name in (name for name in STATISTICS if name in written):
        try:
            thresholds[name] = msgspec.convert(written[name], float)
        except msgspec.ValidationError as exc:
            raise _Problem(f"monitoring.{name}", f"monitoring.{name}: {exc}") from exc
        if not math.isfinite(thresholds[name]):
            raise _Problem(f"monitoring.{name}", f"monitoring.{name}: a threshold is a finite number; a high one is never crossed")
    stated = tuple(name for name in (*STATISTICS, *SHARES) if name in written)
    if stated and "false_alarms" in written:
        raise _Problem(
            "monitoring.false_alarms",
            f"monitoring.false_alarms: thresholds are calibrated to this budget or constants, not both: leave out {', '.join(stated)}",
        )
    return {key: value for key, value in written.items() if key not in STATISTICS} | {"thresholds": thresholds, "stated": stated}


def _bad_feature(table: dict[str, Any]) -> str | None:
    for name, value in table.get("features", {}).items():
        try:
            msgspec.convert(value, type=FeatureType | FeatureTable)
        except msgspec.ValidationError:
            return f"features.{name}"
    return None


def _check(file: ProjectFile, files: dict[str, bytes]) -> Project:
    if not file.features:
        raise _Problem("features", "a model needs at least one feature")
    features = []
    for name, value in file.features.items():
        if name in RESERVED or name.startswith("$") or not name.isidentifier():
            raise _Problem(
                f"features.{name}", f"{name!r} cannot be a feature's name: use letters, digits and _, and none of {sorted(RESERVED)}"
            )
        if clashes(name):
            raise _Problem(f"features.{name}", f"{name!r} is how the lake calls a feature that changed its type: use another name")
        features.append(_feature(name, value))
    if file.target.name in file.features:
        raise _Problem(f"features.{file.target.name}", "the target is also a feature: the model would see the answer")
    schema = StreamSchema(
        stream=file.stream.name,
        features=tuple(features),
        target=Target(name=file.target.name, type=file.target.type),
        version=file.stream.version,
    )
    if not is_name(f"{file.stream.name}"):
        raise _Problem("stream.name", f"a name matches {NAME_PATTERN}")
    try:
        check_declared(file.target.metric, schema.target.task)
    except NoSuchMetric as exc:
        raise _Problem("target.metric", str(exc)) from exc
    if for_task(file.target.metric, schema.target.task).form.needs == "probabilities" and not schema.has_probabilities:
        why = f"{file.target.metric} needs class probabilities, which are recorded under that name: give the feature another one"
        raise _Problem(f"features.{PROBABILITIES}", f"{PROBABILITIES!r}: {why}")
    if file.stream.split_key not in {"entity", "event_id", *file.features}:
        raise _Problem("stream.split_key", f"{file.stream.split_key!r} is neither entity, event_id nor a feature")
    for key in ("policy.cooldown", "policy.budget_period", "training.timeout", "stream.allowed_lateness"):
        section, _, field = key.partition(".")
        _duration(key, getattr(getattr(file, section), field))
    try:
        candidates = tuple(str(parse_recipe(text)) for text in file.training.candidates)
    except ValueError as exc:
        raise _Problem("training.candidates", f"training.candidates: {exc}") from exc
    _check_policy(file.policy)
    _check_segments(file.monitoring.segments, schema)
    windows = _windows(file.windows)
    try:
        alarm_budget(file.monitoring.false_alarms, windows)
    except ValueError as exc:
        raise _Problem("monitoring.false_alarms", f"monitoring.false_alarms: {exc}") from exc
    except OverflowError as exc:
        raise _Problem("monitoring.false_alarms", f"{file.monitoring.false_alarms!r} is longer than the calendar") from exc
    if not 0.5 <= file.promotion.confidence < 1:
        raise _Problem("promotion.confidence", "must be at least 0.5 and below 1")
    return Project(
        name=file.project.name,
        model=file.project.model,
        schema=schema,
        metric=file.target.metric,
        split_key=file.stream.split_key,
        split_salt=file.stream.split_salt,
        allowed_lateness=_duration("stream.allowed_lateness", file.stream.allowed_lateness),
        windows=windows,
        monitoring=file.monitoring,
        policy=file.policy,
        training=msgspec.structs.replace(file.training, candidates=candidates),
        promotion=file.promotion,
        serving=file.serving,
        backtest=file.backtest,
        clock=file.stream.clock,
        retention=_retention(file.stream.retention),
        files=files,
    )


def _check_policy(policy: Policy) -> None:
    for setting, message in policy_check.problems(policy):
        raise _Problem(f"policy.{setting}", message)


def _check_segments(segments: tuple[str, ...], schema: StreamSchema) -> None:
    categories = [feature.name for feature in schema.features if feature.type == "category"]
    if wrong := [name for name in segments if name not in categories]:
        known = ", ".join(categories) or "none here"
        raise _Problem("monitoring.segments", f"{wrong[0]!r} is no category feature; those are {known}")
    if len(set(segments)) < len(segments) or len(segments) > MOST_SEGMENTS:
        raise _Problem("monitoring.segments", f"name {MOST_SEGMENTS} features at most, each once")


def _feature(name: str, declared: FeatureType | FeatureTable) -> Feature:
    if isinstance(declared, str):
        return Feature(name=name, type=declared)
    feature = Feature(name=name, type=declared.type, required=declared.required)
    if declared.parts is None:
        return feature
    key, known = f"features.{name}", COLUMN_TYPES[declared.type]
    if not known.parts:
        raise _Problem(key, f"{name!r} is {known.words}, which has no parts")
    if not declared.parts or len(set(declared.parts)) < len(declared.parts) or not set(declared.parts) <= set(known.parts):
        raise _Problem(key, f"parts of {name!r}: name some of {', '.join(known.parts)}, each once")
    return msgspec.structs.replace(feature, parts=tuple(declared.parts))


def _duration(key: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise _Problem(key, f"{key}: {exc}") from exc
    except OverflowError as exc:
        raise _Problem(key, f"{key}: {text} is longer than the calendar") from exc


def _retention(text: str) -> timedelta | None:
    if text == "forever":
        return None
    kept = _duration("stream.retention", text)
    if kept < SHORTEST_RETENTION:
        raise _Problem(
            "stream.retention",
            f"must be {SHORTEST_RETENTION // timedelta(hours=1)}h at least, or a service that is away for a while loses rows",
        )
    return kept


def _windows(table: WindowsTable) -> WindowPlan:
    if (table.every is None) == (table.cuts is None):
        raise _Problem("windows", 'give either every = "7d" or cuts = [times]')
    if table.every is not None:
        every = _duration("windows.every", table.every)
        if every <= timedelta(0):
            raise _Problem("windows.every", "must be longer than nothing")
        return WindowPlan(every=every)
    cuts = table.cuts or []
    if len(cuts) < 2 or any(c.tzinfo is None for c in cuts) or any(a >= b for a, b in itertools.pairwise(cuts)):
        raise _Problem("windows.cuts", "needs at least two times with an offset, each later than the one before")
    return WindowPlan(cuts=tuple(cuts))


__all__ = [
    "Monitoring",
    "Policy",
    "Project",
    "Promotion",
    "Serving",
    "Training",
    "Window",
    "archive_key",
    "open_archive",
    "parse_project",
    "read_project",
    "with_policy",
]
