"""What a project may say: ``driftloop.toml`` as a checked project, or the problem with its key."""

import itertools
from datetime import timedelta

import msgspec

from driftloop.contracts.answers import Answers
from driftloop.contracts.canary import VERSION_RULE
from driftloop.contracts.class_probabilities import PROBABILITIES
from driftloop.contracts.column_types import COLUMN_TYPES, FeatureType
from driftloop.contracts.evolution import clashes
from driftloop.contracts.existing_topics import TopicMapping
from driftloop.contracts.names import NAME_PATTERN, is_name
from driftloop.contracts.schema import RESERVED, Feature, StreamSchema, Target
from driftloop.contracts.windows import WindowPlan, parse_duration
from driftloop.project import answers_check, policy_check, promotion_check, topic_mappings
from driftloop.project.alarm_budget import alarm_budget
from driftloop.project.model import (
    Project,
)
from driftloop.project.recipes import parse_recipe
from driftloop.project.rules import Policy
from driftloop.project.tables import FeatureTable, ProjectFile, WindowsTable
from driftloop.statistics.metrics import NoSuchMetric, check_declared, for_task

YEAR = timedelta(days=365)
SHORTEST_RETENTION = timedelta(hours=1)
MOST_SEGMENTS = 3  # features; each is told with up to 21 segments in every report


class Problem(Exception):
    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key, self.message = key, message


def check(file: ProjectFile, files: dict[str, bytes]) -> Project:
    if not file.features:
        raise Problem("features", "a model needs at least one feature")
    features = []
    for name, value in file.features.items():
        if name in RESERVED or name.startswith("$") or not name.isidentifier():
            raise Problem(
                f"features.{name}", f"{name!r} cannot be a feature's name: use letters, digits and _, and none of {sorted(RESERVED)}"
            )
        if clashes(name):
            raise Problem(f"features.{name}", f"{name!r} is how the lake calls a feature that changed its type: use another name")
        features.append(_feature(name, value))
    if file.target.name in file.features:
        raise Problem(f"features.{file.target.name}", "the target is also a feature: the model would see the answer")
    schema = StreamSchema(
        stream=file.stream.name,
        features=tuple(features),
        target=Target(name=file.target.name, type=file.target.type),
        version=file.stream.version,
    )
    if not is_name(f"{file.stream.name}"):
        raise Problem("stream.name", f"a name matches {NAME_PATTERN}")
    try:
        check_declared(file.target.metric, schema.target.task)
    except NoSuchMetric as exc:
        raise Problem("target.metric", str(exc)) from exc
    if for_task(file.target.metric, schema.target.task).form.needs == "probabilities" and not schema.has_probabilities:
        why = f"{file.target.metric} needs class probabilities, which are recorded under that name: give the feature another one"
        raise Problem(f"features.{PROBABILITIES}", f"{PROBABILITIES!r}: {why}")
    if file.stream.split_key not in {"entity", "event_id", *file.features}:
        raise Problem("stream.split_key", f"{file.stream.split_key!r} is neither entity, event_id nor a feature")
    for key in ("policy.cooldown", "policy.budget_period", "training.timeout", "stream.allowed_lateness"):
        section, _, field = key.partition(".")
        _duration(key, getattr(getattr(file, section), field))
    try:
        candidates = tuple(str(parse_recipe(text)) for text in file.training.candidates)
    except ValueError as exc:
        raise Problem("training.candidates", f"training.candidates: {exc}") from exc
    _check_policy(file.policy)
    _check_segments(file.monitoring.segments, schema)
    if file.monitoring.season is not None and not timedelta(0) < _duration("monitoring.season", file.monitoring.season) <= YEAR:
        raise Problem("monitoring.season", f"{file.monitoring.season!r} is no part of a year: more than 0, 365d at most")
    windows = _windows(file.windows)
    try:
        alarm_budget(file.monitoring.false_alarms, windows)
    except ValueError as exc:
        raise Problem("monitoring.false_alarms", f"monitoring.false_alarms: {exc}") from exc
    except OverflowError as exc:
        raise Problem("monitoring.false_alarms", f"{file.monitoring.false_alarms!r} is longer than the calendar") from exc
    if file.promotion.canary is not msgspec.UNSET and not schema.has_version_rule:
        why = f"a canary's rows say by which rule they were answered under the name {VERSION_RULE}: give the feature another one"
        raise Problem(f"features.{VERSION_RULE}", f"{VERSION_RULE!r}: {why}")
    for setting, message in promotion_check.problems(file.promotion, file.monitoring):
        raise Problem(f"promotion.{setting}", message)
    try:
        requests, labels = topic_mappings.requests(file), topic_mappings.labels(file)
    except topic_mappings.WrongMapping as exc:
        raise Problem(exc.key, exc.message) from exc
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
        served_by=file.project.served_by,
        answers=_answers(file, schema, requests),
        clock=file.stream.clock,
        retention=_retention(file.stream.retention),
        requests=requests,
        labels=labels,
        notify=file.notify,
        files=files,
    )


def _answers(file: ProjectFile, schema: StreamSchema, requests: TopicMapping | None) -> Answers:
    declared = file.answers
    if declared != Answers() and file.project.served_by != "elsewhere":
        raise Problem("answers", "[answers] says where another system's answers are: [project] must say served_by = 'elsewhere'")
    for setting, message in answers_check.problems(declared, schema):
        raise Problem(f"answers.{setting}", f"answers.{setting}: {message}")
    if file.project.served_by == "elsewhere" and requests is not None and requests.format != "json" and declared.topic is None:
        message = f"answers are read from JSON, and requests are {requests.format}: [answers] topic must name one with the answers in JSON"
        raise Problem("answers.topic", message)
    return declared


def _check_policy(policy: Policy) -> None:
    for setting, message in policy_check.problems(policy):
        raise Problem(f"policy.{setting}", message)


def _check_segments(segments: tuple[str, ...], schema: StreamSchema) -> None:
    categories = [feature.name for feature in schema.features if not COLUMN_TYPES[feature.type].ordered]
    if wrong := [name for name in segments if name not in categories]:
        known = ", ".join(categories) or "none here"
        raise Problem("monitoring.segments", f"{wrong[0]!r} is no category feature; those are {known}")
    if len(set(segments)) < len(segments) or len(segments) > MOST_SEGMENTS:
        raise Problem("monitoring.segments", f"name {MOST_SEGMENTS} features at most, each once")


def _feature(name: str, declared: FeatureType | FeatureTable) -> Feature:
    if isinstance(declared, str):
        return Feature(name=name, type=declared)
    feature = Feature(name=name, type=declared.type, required=declared.required)
    if declared.parts is None:
        return feature
    key, known = f"features.{name}", COLUMN_TYPES[declared.type]
    if not known.parts:
        raise Problem(key, f"{name!r} is {known.words}, which has no parts")
    if not declared.parts or len(set(declared.parts)) < len(declared.parts) or not set(declared.parts) <= set(known.parts):
        raise Problem(key, f"parts of {name!r}: name some of {', '.join(known.parts)}, each once")
    return msgspec.structs.replace(feature, parts=tuple(declared.parts))


def _duration(key: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise Problem(key, f"{key}: {exc}") from exc
    except OverflowError as exc:
        raise Problem(key, f"{key}: {text} is longer than the calendar") from exc


def _retention(text: str) -> timedelta | None:
    if text == "forever":
        return None
    kept = _duration("stream.retention", text)
    if kept < SHORTEST_RETENTION:
        raise Problem(
            "stream.retention",
            f"must be {SHORTEST_RETENTION // timedelta(hours=1)}h at least, or a service that is away for a while loses rows",
        )
    return kept


def _windows(table: WindowsTable) -> WindowPlan:
    if (table.every is None) == (table.cuts is None):
        raise Problem("windows", 'give either every = "7d" or cuts = [times]')
    if table.every is not None:
        every = _duration("windows.every", table.every)
        if every <= timedelta(0):
            raise Problem("windows.every", "must be longer than nothing")
        return WindowPlan(every=every)
    cuts = table.cuts or []
    if len(cuts) < 2 or any(c.tzinfo is None for c in cuts) or any(a >= b for a, b in itertools.pairwise(cuts)):
        raise Problem("windows.cuts", "needs at least two times with an offset, each later than the one before")
    return WindowPlan(cuts=tuple(cuts))
