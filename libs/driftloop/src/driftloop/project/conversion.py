"""From TOML's tables to those of ``project.tables``: unknown settings and values of another type are problems with their key."""

import math
from typing import Any

import msgspec

from driftloop.contracts.answers import Answers
from driftloop.contracts.column_types import FeatureType
from driftloop.contracts.typed import prepared
from driftloop.project.allowed_values import allowed_values
from driftloop.project.checks import Problem
from driftloop.project.model import (
    Promotion,
    Serving,
    Training,
)
from driftloop.project.notify_tables import SECTION as NOTIFY
from driftloop.project.notify_tables import WrongRule, notify_rules
from driftloop.project.rules import SHARES, BacktestData, Monitoring, Policy, default_thresholds
from driftloop.project.tables import FeatureTable, ProjectFile
from driftloop.statistics.distances import STATISTICS


def converted(table: dict[str, Any]) -> ProjectFile:
    known_sections = {
        "monitoring": Monitoring,
        "policy": Policy,
        "training": Training,
        "promotion": Promotion,
        "serving": Serving,
        "backtest": BacktestData,
        "answers": Answers,
    }
    for section, known in known_sections.items():
        written = table.get(section, {})
        if not isinstance(written, dict):
            raise Problem(section, f"{section} is a table: write [{section}] and its settings below it")
        settings = monitoring_settings() if known is Monitoring else known.__struct_fields__
        for key in written:
            if key not in settings:
                raise Problem(f"{section}.{key}", f"unknown setting {key!r}; [{section}] knows {', '.join(settings)}")
    if "monitoring" in table:
        table = table | {"monitoring": _with_thresholds(table["monitoring"])}
    try:
        notify = notify_rules(table.get(NOTIFY))
    except WrongRule as exc:
        raise Problem(exc.key, exc.message) from exc
    try:
        found: ProjectFile = msgspec.convert({key: value for key, value in table.items() if key != NOTIFY}, type=prepared(ProjectFile))
        return msgspec.structs.replace(found, notify=notify)
    except msgspec.ValidationError as exc:
        message, _, path = str(exc).partition(" - at ")
        key = path.strip("`").removeprefix("$").lstrip(".")
        if "[...]" in key:  # msgspec does not name the entry of a dict: find the first that does not fit
            key = _bad_feature(table) or "features"
        if allowed := allowed_values(ProjectFile, key):
            message = f"{message}; one of {', '.join(allowed)}"
        raise Problem(key, f"{key}: {message}" if key else message) from exc


def monitoring_settings() -> tuple[str, ...]:
    """Of ``[monitoring]``: in the file a threshold stands beside the others, under its statistic's name."""
    return *(name for name in Monitoring.__struct_fields__ if name not in ("thresholds", "stated")), *STATISTICS


def _with_thresholds(written: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``Monitoring``."""
    thresholds = default_thresholds()
    for name in (name for name in STATISTICS if name in written):
        try:
            thresholds[name] = msgspec.convert(written[name], prepared(float))
        except msgspec.ValidationError as exc:
            raise Problem(f"monitoring.{name}", f"monitoring.{name}: {exc}") from exc
        if not math.isfinite(thresholds[name]):
            raise Problem(f"monitoring.{name}", f"monitoring.{name}: a threshold is a finite number; a high one is never crossed")
    stated = tuple(name for name in (*STATISTICS, *SHARES) if name in written)
    if stated and "false_alarms" in written:
        raise Problem(
            "monitoring.false_alarms",
            f"monitoring.false_alarms: thresholds are calibrated to this budget or constants, not both: leave out {', '.join(stated)}",
        )
    return {key: value for key, value in written.items() if key not in STATISTICS} | {"thresholds": thresholds, "stated": stated}


def _bad_feature(table: dict[str, Any]) -> str | None:
    for name, value in table.get("features", {}).items():
        try:
            msgspec.convert(value, type=prepared(FeatureType | FeatureTable))
        except msgspec.ValidationError:
            return f"features.{name}"
    return None
