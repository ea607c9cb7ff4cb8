"""Every alert names what is exported, says what to do, and fires when it must; what operators must be told is told."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from driftloop import metrics
from driftloop.client import status_words
from driftloop.contracts.services import SERVICES

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "infra" / "prometheus" / "alerts.yml"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
}
OURS = {next(iter(m.describe())).name: m for m in vars(metrics).values() if isinstance(m, MetricWrapperBase)}
OF_TARGETS = {"instance", "service", "job"}  # the labels that Prometheus gives each series
OF_PROMETHEUS = {"up", "process_start_time_seconds"}

# the ten things, and the metric that tells each
TOLD = {
    "lag": ("driftloop_end_offset", "driftloop_durable_offset"),
    "stall": ("driftloop_behind_seconds",),
    "restart": ("process_start_time_seconds",),
    "gap": ("driftloop_gap",),
    "quarantine rate": ("driftloop_quarantined_total",),
    "refused rate": ("driftloop_refused_calls_total",),
    "unscored rows": ("driftloop_unscored_rows_total",),
    "early and late rows": ("driftloop_too_early_rows", "driftloop_too_late_rows"),
    "age of the last decision": ("driftloop_decision_age_seconds",),
    "budget left": ("driftloop_budget_left",),
}


def metric_of(name: str) -> MetricWrapperBase | None:
    return OURS.get(re.sub(r"_(total|bucket|sum|count)$", "", name))


def labels_of(name: str) -> set[str]:
    found = metric_of(name)
    return OF_TARGETS | (set(found._labelnames) if found is not None else set())


@pytest.mark.parametrize("name", RULES)
def test_an_alert_asks_for_metrics_and_labels_that_are_exported(name: str) -> None:
    rule = RULES[name]
    expression = rule["expr"]
    named = set(re.findall(r"\b(driftloop_\w+|up|process_start_time_seconds)\b", expression))
    assert named
    assert {metric for metric in named if metric not in OF_PROMETHEUS and metric_of(metric) is None} == set()
    for metric, matchers in re.findall(r"\b(driftloop_\w+|up|process_start_time_seconds)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= labels_of(metric), metric
    known = set.union(*(labels_of(metric) for metric in named))
    grouped = [set(re.findall(r"\w+", labels)) for labels in re.findall(r"(?:by|on) \(([^)]*)\)", expression)]
    assert all(labels <= known for labels in grouped)
    told = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert told <= (set.union(*(labels for labels in grouped)) if "sum by" in expression else known)


@pytest.mark.parametrize("name", RULES)
def test_an_alert_says_what_is_wrong_and_what_a_person_does_about_it(name: str) -> None:
    from driftloop.cli.main import cli

    told = RULES[name]["annotations"]
    assert set(told) == {"summary", "act"}
    for command in re.findall(r"`driftloop ([^`]+)`", told["act"]):
        found: Any = cli
        for word in command.split():
            if not hasattr(found, "get_command") or not word.isalpha() or not word.islower():
                break
            found = found.get_command(None, word)
            assert found is not None, command
    assert RULES[name]["labels"]["severity"] in {"page", "warn"}


@pytest.mark.parametrize("thing", TOLD)
def test_what_operators_are_told_is_in_an_alert_or_in_the_words_of_the_status(thing: str) -> None:
    for metric in TOLD[thing]:
        assert metric in OF_PROMETHEUS or metric_of(metric) is not None
        alerted = any(re.search(rf"\b{metric}\b", rule["expr"]) for rule in RULES.values())
        assert alerted or metric in status_words.METRICS, metric


def test_what_operators_are_told_is_on_the_dashboard() -> None:
    dashboard = (ROOT / "infra" / "grafana" / "dashboards" / "driftloop.json").read_text()
    assert {metric for metrics in TOLD.values() for metric in metrics if not re.search(rf"\b{metric}\b", dashboard)} == set()


def test_a_service_of_which_nothing_runs_is_an_alert_whichever_it_is() -> None:
    """By what ran before and not by names, so that one more service is watched without an edit."""
    assert not [name for name in SERVICES if name in RULES["ServiceAbsent"]["expr"]]


HEALTHY = {f'up{{job="driftloop",service="{name}",instance="{name}:1"}}': "1x400" for name in SERVICES}
TARGET = 'job="driftloop",service="ingest",instance="ingest:1"'

# what makes each alert fire, by the alert: the series, minute by minute, that differ from those of a healthy stack
FIRES: dict[str, dict[str, str]] = {
    "PartitionStalled": {f'driftloop_behind_seconds{{topic="shop.labels",partition="0",{TARGET}}}': "0+60x400"},
    "RetrainRequestsWaiting": {f'driftloop_behind_seconds{{topic="retrain-requests",partition="0",{TARGET}}}': "0+60x400"},
    "GapFound": {f"driftloop_gap{{{TARGET}}}": "0x350 1 _x3 1 _x3 1 _x3 1x50"},
    "ServiceDown": {f"up{{{TARGET}}}": "1x300 0x100"},
    "ServiceAbsent": {f"up{{{TARGET}}}": "1x300 _x100"},
    "ServiceRestarting": {f"process_start_time_seconds{{{TARGET}}}": "0+100x400"},
    "ReadingPaused": {f"driftloop_paused{{{TARGET}}}": "0x300 1x100"},
    "MessagesQuarantined": {
        f'driftloop_quarantined_total{{topic="shop.labels",{TARGET}}}': "_x390 2x10",
        f'driftloop_messages_total{{topic="shop.labels",{TARGET}}}': "_x390 100x10",
    },
    "CallsRefused": {f'driftloop_refused_calls_total{{status="422",{TARGET}}}': "0+120x400"},
    "RecordsFailed": {f"driftloop_unforeseen_failures_total{{{TARGET}}}": "0x390 1x10"},
    "PredictionsNotRecorded": {f"driftloop_http_rows_dropped_total{{{TARGET}}}": "0x396 1x10"},
    "FollowerStalled": {f'driftloop_follower_age_seconds{{follower="registry",{TARGET}}}': "0+60x400"},
    "ControlRecordsPassedOver": {f'driftloop_unreadable_records_total{{topic="decisions",{TARGET}}}': "_x395 1x10"},
    "RowsUnscored": {f'driftloop_unscored_rows_total{{reason="refused",{TARGET}}}': "_x392 1x10"},
    "RowsTooLateOrEarly": {f'driftloop_too_late_rows{{partition="0",{TARGET}}}': "0x390 5x10"},
    "LabelsDatedAhead": {f'driftloop_labels_dated_ahead_total{{stream="shop",{TARGET}}}': "_x390 5x10"},
    "DecisionOverdue": {f'driftloop_decision_overdue_seconds{{model="m",{TARGET}}}': "0x300 0+60x100"},
    "ShadowLags": {f'driftloop_shadow_lag_seconds{{model="m",{TARGET}}}': "0x380 3000x20"},
    "BudgetSpent": {f'driftloop_budget_left{{model="m",{TARGET}}}': "3x300 0x100"},
    "GateNeverMeasures": {f'driftloop_gate_total{{model="m",outcome="not-measured",{TARGET}}}': "0x100 1x100 2x100 5x100"},
    "TrainingFailed": {f'driftloop_trainings_total{{model="m",outcome="failed",{TARGET}}}': "_x390 1x10"},
    "UpkeepFailed": {f'driftloop_lake_upkeep_total{{table="labels",work="clean",outcome="failed",{TARGET}}}': "_x390 1x10"},
    "WindowsNotCompared": {f'driftloop_values_too_large_total{{table="folds",{TARGET}}}': "_x392 1x10"},
    "ConnectionsClosed": {f'driftloop_http_closed_total{{why="busy",{TARGET}}}': "_x397 1x10"},
    "NotificationsDead": {f"driftloop_dead_letters{{{TARGET}}}": "0x300 1x100"},
    "NotificationsWaiting": {f"driftloop_notifications_waiting{{{TARGET}}}": "0x300 1x100"},
    "EnvironmentDiffers": {f'driftloop_environment_differences{{model="m",{TARGET}}}': "0x300 1x100"},
}

# what is not worth waking a person: none of this may fire
CALM = {
    f'driftloop_behind_seconds{{topic="shop.labels",partition="0",{TARGET}}}': "0x390 200x10",
    f'driftloop_behind_seconds{{topic="retrain-requests",partition="0",{TARGET}}}': "0+30x400",  # a long training
    f"driftloop_gap{{{TARGET}}}": "0x400",
    f"process_start_time_seconds{{{TARGET}}}": "5x390 9x10",
    f"driftloop_paused{{{TARGET}}}": "0x395 1x5",
    f'driftloop_quarantined_total{{topic="shop.labels",{TARGET}}}': "0x390 1x10",
    f'driftloop_messages_total{{topic="shop.labels",{TARGET}}}': "0+100x400",
    f'driftloop_refused_calls_total{{status="422",{TARGET}}}': "0+1x400",
    f'driftloop_unscored_rows_total{{reason="no-model",{TARGET}}}': "0+5x400",
    f'driftloop_decision_age_seconds{{model="m",{TARGET}}}': "0+60x400",
    f'driftloop_budget_left{{model="m",{TARGET}}}': "3x390 0x10",
    f'driftloop_gate_total{{model="m",outcome="not-measured",{TARGET}}}': "0x100 1x100 2x100 5x100",
    f'driftloop_gate_total{{model="m",outcome="refused",{TARGET}}}': "0x100 1x100 2x100 5x100",
    f'driftloop_trainings_total{{model="m",outcome="completed",{TARGET}}}': "0+1x400",
    f'driftloop_lake_upkeep_total{{table="labels",work="clean",outcome="done",{TARGET}}}': "0+1x400",
    f'driftloop_http_closed_total{{why="slow",{TARGET}}}': "0+9x400",
}


def test_every_alert_has_series_that_make_it_fire() -> None:
    assert set(FIRES) == set(RULES)


def alone(series: dict[str, str], expected: list[str]) -> dict[str, Any]:
    """A test of promtool's: with these series, these alerts fire after six hours and forty minutes, and no other."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in expected]
    firing = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "6h40m", "exp_samples": samples}
    inputs = [{"series": name, "values": values} for name, values in (HEALTHY | series).items()]
    return {"interval": "1m", "input_series": inputs, "promql_expr_test": [firing]}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (of Prometheus) is not on the PATH")
def test_each_alert_fires_when_it_must_and_none_while_nobody_must_act(tmp_path: Path) -> None:
    shutil.copy(ALERTS, tmp_path / ALERTS.name)
    path = tmp_path / "test.yml"
    tests = [alone(CALM, []), *(alone(series, [name]) for name, series in FIRES.items())]
    path.write_text(yaml.safe_dump({"rule_files": [ALERTS.name], "evaluation_interval": "1m", "tests": tests}))
    ended = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
