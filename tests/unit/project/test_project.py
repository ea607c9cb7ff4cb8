"""A project folder is read whole, or refused with file, line and remedy."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from driftloop.errors import UserError
from driftloop.monitoring.partition_fold import KEPT_CLOSED_WINDOWS, MAX_WINDOWS
from driftloop.project.open_windows import MOST_OPEN
from driftloop.project.reading import open_archive, parse_project, read_project
from driftloop.statistics.distances import STATISTICS
from driftloop.statistics.metrics import declarable

TOML = """\
[project]
name = "taxi"
model = "taxi-fare"

[stream]
name = "taxi"
split_key = "entity"

[features]
distance = "number"
zone = { type = "category", required = false }

[target]
name = "fare"
type = "number"
metric = "r2"

[windows]
every = "7d"

[policy]
cooldown = "1d"
"""
PIPELINE = "def build():\n    raise NotImplementedError\n"


def write(folder: Path, toml: str = TOML, pipeline: str = PIPELINE) -> Path:
    (folder / "driftloop.toml").write_text(toml)
    (folder / "pipeline.py").write_text(pipeline)
    return folder


def test_a_project_is_read(tmp_path: Path) -> None:
    project = read_project(write(tmp_path))
    assert (project.name, project.model, project.stream, project.metric) == ("taxi", "taxi-fare", "taxi", "r2")
    assert [(f.name, f.type, f.required) for f in project.schema.features] == [("distance", "number", True), ("zone", "category", False)]
    assert project.windows.every == timedelta(days=7)


def test_a_time_is_declared_whole_or_by_its_parts(tmp_path: Path) -> None:
    declared = 'distance = "number"\ndue = "datetime"\nstart = { type = "datetime", required = false, parts = ["weekday", "hour"] }'
    due, start = read_project(write(tmp_path, TOML.replace('distance = "number"', declared))).schema.features[1:3]
    assert (due.type, due.required, due.inputs) == ("datetime", True, ("due",))
    assert (start.type, start.required, start.inputs) == ("datetime", False, ("start.weekday", "start.hour"))


def test_an_archive_depends_on_contents_only_and_opens_to_the_same_project(tmp_path: Path) -> None:
    project = read_project(write(tmp_path))
    (tmp_path / "driftloop.toml").touch()
    assert read_project(tmp_path).digest() == project.digest()
    assert open_archive(project.archive()) == project
    write(tmp_path, pipeline=PIPELINE + "# another\n")
    assert read_project(tmp_path).digest() != project.digest()


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (('name = "taxi"\nmodel', 'name = "Taxi!"\nmodel'), 2, "name"),
        (('distance = "number"', 'distance = "float"'), 10, "distance"),
        (('distance = "number"', 'event_id = "number"'), 10, "cannot be a feature's name"),
        (('distance = "number"', 'fare = "number"'), 10, "the model would see the answer"),
        (('metric = "r2"', 'metric = "roc_auc"'), 16, "does not measure a number target; use r2"),
        (('metric = "r2"', 'metric = "R2"'), 16, "'R2' is no metric; use r2, "),
        (('metric = "r2"', 'metric = "pinball:2"'), 16, "pinball needs a quantile between 0 and 1: write 'pinball:0.9'"),
        (
            ('type = "number"\nmetric = "r2"', 'type = "category"\nmetric = "average_precision"'),
            16,
            "does not measure a category target; use roc_auc, log_loss, brier, accuracy",
        ),
        (('metric = "r2"', "metric = 2"), 16, "target.metric: Expected `str`, got `int`"),
        (('every = "7d"', 'every = "a week"'), 19, "not a duration such as"),
        (('every = "7d"', f'every = "{"9" * 15}w"'), 19, "is longer than the calendar"),
        (('every = "7d"', "cuts = [2026-01-01]"), 19, ""),
        (('cooldown = "1d"', 'cooldwon = "1d"'), 22, "unknown setting 'cooldwon'"),
        (('split_key = "entity"', 'split_key = "plate"'), 7, "neither entity, event_id nor a feature"),
        (
            ('cooldown = "1d"', 'triggers = ["windows"]'),
            22,
            "policy.triggers[0]: Invalid enum value 'windows'; one of drift, labels, performance, schedule, window",
        ),
        (
            ('type = "number"\nmetric', 'type = "float"\nmetric'),
            15,
            "target.type: Invalid enum value 'float'; one of boolean, category, number",
        ),
        (('distance = "number"', 'distance = "float"'), 10, "one of boolean, category, datetime, integer, number"),
        (('cooldown = "1d"', "budget = 5\nbudget_burst = 6"), 23, "at most the budget of 5"),
        (('cooldown = "1d"', 'cooldown = "1d"\ntriggers = ["schedule"]'), 23, "needs a schedule: write schedule ="),
        (('cooldown = "1d"', 'triggers = ["schedule"]\nschedule = "0 25 * * *"'), 23, "'25' is no hour: it is 0 to 23"),
        (('cooldown = "1d"', 'triggers = ["schedule"]\nschedule = "daily"'), 23, "neither an interval such as 7d nor five cron fields"),
        (('cooldown = "1d"', 'schedule = "1d"'), 22, 'nothing follows it: add "schedule" to triggers, which are window'),
        (('cooldown = "1d"', 'triggers = ["labels"]'), 22, "needs to know how many: write new_labels = 5000"),
        (('cooldown = "1d"', "new_labels = 5000"), 22, 'nothing follows it: add "labels" to triggers'),
        (('cooldown = "1d"', 'schedule_time = "local"'), 22, "one of event, wall"),
        (('cooldown = "1d"', "budget = 5\nbudget_kept = 5"), 23, "must be below the 5 that can be spent at once"),
        (('cooldown = "1d"', "budget = 5\nbudget_burst = 2\nbudget_kept = 2"), 24, "must be below the 2"),
        (("[target]", "[target"), None, "line 13"),
        (('distance = "number"', 'distance = { type = "number", parts = ["hour"] }'), 10, "'distance' is a number, which has no parts"),
        (
            ('distance = "number"', 'at = { type = "datetime", parts = ["hours"] }'),
            10,
            "name some of year, month, day, day_of_year, weekday",
        ),
        (('distance = "number"', 'at = { type = "datetime", parts = [] }'), 10, "parts of 'at': name some of"),
        (('distance = "number"', 'at = { type = "datetime", parts = ["hour", "hour"] }'), 10, "each once"),
        (('distance = "number"', 'at = { type = "datetime", parts = "hour" }'), 10, "features.at"),
        (('type = "number"\nmetric', 'type = "datetime"\nmetric'), 15, "target.type"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, change: tuple[str, str], line: int | None, words: str) -> None:
    write(tmp_path, TOML.replace(*change, 1))
    with pytest.raises(UserError) as info:
        read_project(tmp_path)
    assert words in str(info.value)
    if line is not None:
        assert f"driftloop.toml:{line}:" in str(info.value)


def trained(candidates: str) -> str:
    return TOML + f"[training]\nmargin = 0.02\ncandidates = {candidates}\n"


def test_a_project_states_its_recipes(tmp_path: Path) -> None:
    written = '["all", "last:3", "decay:2.5", "mean:[all,all+time, decay:4]"]'
    project = read_project(write(tmp_path, trained(written)))
    assert project.training.candidates == ("all", "last:3", "decay:2.5", "mean:[all, all+time, decay:4]")
    assert open_archive(project.archive()) == project


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('["all", "first:3"]', "'first:3' is no recipe: use all, last:N"),
        ('["last:0"]', "'last:0' is no recipe: after the colon comes a whole number of windows"),
        ('["mean:[all, mean:[all, last:2]]"]', "a mean cannot be a member of a mean"),
        ("[]", "name at least one recipe"),
        ("[3]", "Expected `str`, got `int`"),
    ],
)
def test_a_recipe_that_is_none_is_named_with_its_line(tmp_path: Path, written: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)) as info:
        read_project(write(tmp_path, trained(written)))
    assert "driftloop.toml:25: training.candidates" in str(info.value)


def test_a_project_states_the_guard_rails_of_its_gate(tmp_path: Path) -> None:
    rails = "max_churn = 0.2\nmoved = 0.5\nmax_segment_loss = 0.0\nmax_latency_ratio = 3\nmax_size_mib = 0.5\n"
    project = read_project(write(tmp_path, TOML + '[monitoring]\nsegments = ["zone"]\n[promotion]\n' + rails))
    stated = project.promotion
    assert (stated.max_churn, stated.moved, stated.max_segment_loss, stated.max_latency_ratio, stated.max_size_mib) == (0.2, 0.5, 0, 3, 0.5)
    assert open_archive(project.archive()) == project


def test_a_project_declares_the_steps_of_its_canaries(tmp_path: Path) -> None:
    steps = '[promotion]\ncanary = ["1 %", "10%", "50 %"]\ncanary_windows = 2\n'
    project = read_project(write(tmp_path, TOML + steps))
    assert (project.promotion.canary, project.promotion.canary_windows) == (("1 %", "10%", "50 %"), 2)
    assert open_archive(project.archive()) == project
    with pytest.raises(UserError, match="'version_rule': a canary's rows say by which rule"):
        read_project(write(tmp_path, TOML.replace("[features]\n", '[features]\nversion_rule = "category"\n') + steps))


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("max_segment_loss = 0.02", 'there are no segments that could lose: write segments = ["…"]'),
        ("max_segment_loss = -0.02", "promotion.max_segment_loss: Expected `float` >= 0.0"),
        ("max_latency_ratio = 0.0", "promotion.max_latency_ratio: Expected `float` > 0.0"),
        ("max_latency_ratio = nan", "promotion.max_latency_ratio: Expected `float` > 0.0"),
        ("max_size_mib = inf", "promotion.max_size_mib: must be a finite number; leave it out"),
        ('max_size_mib = "3 MiB"', "promotion.max_size_mib: Expected `float`"),
        ('canary = ["1 %", "1 %"]', "promotion.canary: each step must be larger than the one before it"),
        ('canary = ["0 %"]', "promotion.canary: the first step is nobody"),
        ("canary = []", "promotion.canary: a canary has 1 to 20 steps"),
        ('canary = ["100 %"]', "promotion.canary[0]: Expected `str` matching regex"),
        ('canary = ["a tenth"]', "promotion.canary[0]: Expected `str` matching regex"),
        ("canary_windows = 2", "promotion.canary_windows: there is no canary whose steps could take windows"),
        ("moved = -0.1", "promotion.moved: Expected `float` >= 0.0"),
        ("moved = inf", "promotion.moved: must be a finite number"),
    ],
)
def test_a_guard_rail_that_cannot_be_is_named_with_its_line(tmp_path: Path, written: str, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)) as info:
        read_project(write(tmp_path, TOML + f"[promotion]\n{written}\n"))
    assert "driftloop.toml:24: " in str(info.value)


@pytest.mark.parametrize("metric", declarable("regression"))
def test_a_project_measures_by_any_metric_of_its_task(tmp_path: Path, metric: str) -> None:
    project = read_project(write(tmp_path, TOML.replace('"r2"', f'"{metric}"')))
    assert (project.metric, project.task_metric.name, project.task_metric.task) == (metric, metric, "regression")
    assert open_archive(project.archive()) == project


NAMED_SO = 'distance = "number"\nprobabilities = "number"'


def several(metric: str) -> str:
    """The project with a target of several classes."""
    return TOML.replace('type = "number"\nmetric = "r2"', f'type = "category"\nmetric = "{metric}"')


@pytest.mark.parametrize("metric", declarable("multiclass"))
def test_a_target_of_several_classes_is_measured_by_any_metric_of_its_task(tmp_path: Path, metric: str) -> None:
    project = read_project(write(tmp_path, several(metric)))
    assert (project.task_metric.name, project.task_metric.task) == (metric, "multiclass")
    assert project.schema.has_probabilities


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier"])
def test_a_metric_of_class_probabilities_goes_with_no_feature_of_their_name(tmp_path: Path, metric: str) -> None:
    write(tmp_path, several(metric).replace('distance = "number"', NAMED_SO))
    with pytest.raises(
        UserError, match=f"driftloop.toml:11: 'probabilities': {metric} needs class probabilities.*give the feature another"
    ):
        read_project(tmp_path)


@pytest.mark.parametrize("toml", [TOML, several("accuracy")])
def test_a_feature_called_probabilities_goes_with_every_other_metric(tmp_path: Path, toml: str) -> None:
    project = read_project(write(tmp_path, toml.replace('distance = "number"', NAMED_SO)))
    assert "probabilities" in project.schema.feature_names
    assert not project.schema.has_probabilities
    assert open_archive(project.archive()) == project


def test_thresholds_are_the_tables_unless_the_project_declares_others(tmp_path: Path) -> None:
    declared = {row.name: row.threshold for row in STATISTICS.values() if row.threshold is not None}
    assert read_project(write(tmp_path)).monitoring.thresholds == declared == {"psi": 0.25, "ks": 0.2}
    monitoring = read_project(write(tmp_path, TOML + "[monitoring]\nbins = 8\nks = 1\njs = 0.1\nmissing = 0.2\n")).monitoring
    assert monitoring.thresholds == {"psi": 0.25, "ks": 1.0, "js": 0.1}
    assert (monitoring.bins, monitoring.missing, monitoring.unseen) == (8, 0.2, 0.05)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "kss = 0.1",
            "unknown setting 'kss'; [monitoring] knows bins, missing, unseen, segments, false_alarms, loss_alarm, loss_tolerance, season,",
        ),
        ("thresholds = { psi = 0.1 }", "unknown setting 'thresholds'"),
        ('js = "low"', "monitoring.js: Expected `float`, got `str`"),
        ("wasserstein = nan", "a threshold is a finite number"),
        ("psi = inf", "a threshold is a finite number"),
        ("bins = 1", "monitoring.bins: Expected `int` >= 2"),
    ],
)
def test_a_mistake_in_a_threshold_is_named_with_its_line(tmp_path: Path, setting: str, words: str) -> None:
    write(tmp_path, TOML + f"[monitoring]\nunseen = 0.1\n{setting}\n")
    with pytest.raises(UserError) as info:
        read_project(tmp_path)
    assert words in str(info.value)
    assert "driftloop.toml:25:" in str(info.value)


def test_a_value_where_a_table_belongs_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"driftloop\.toml:1: monitoring is a table"):
        read_project(write(tmp_path, f"monitoring = 3\n{TOML}"))


def test_a_missing_file_is_named_with_what_a_project_holds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a project folder holds driftloop\.toml and pipeline\.py"):
        read_project(tmp_path)


def test_a_syntax_error_in_the_pipeline_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pipeline\.py:2:"):
        read_project(write(tmp_path, pipeline="def build():\n  return (\n"))


def test_cut_windows_hold_their_start_and_not_their_end(tmp_path: Path) -> None:
    write(tmp_path, TOML.replace('every = "7d"', "cuts = [2026-01-01T00:00:00Z, 2026-01-08T00:00:00Z, 2026-01-20T00:00:00Z]"))
    plan = read_project(tmp_path).windows
    at = lambda day: datetime(2026, 1, day, tzinfo=UTC)  # noqa: E731
    first = plan.window_of(at(1))
    assert first is not None
    assert (first.start, first.end) == (at(1), at(8))
    assert plan.window_of(at(8)) != first
    assert plan.window_of(at(20)) is None
    assert plan.last(1, at(20)) == at(8)
    assert plan.last(9, at(20)) == at(1)
    assert plan.last(1, at(12)) == at(1)


def test_what_a_predictor_does_with_another_environment_is_declared(tmp_path: Path) -> None:
    assert read_project(write(tmp_path)).serving.environment == "warn"
    assert read_project(write(tmp_path, TOML + '[serving]\nenvironment = "refuse"\n')).serving.environment == "refuse"
    with pytest.raises(UserError, match=r"driftloop.toml:\d+: .*environment"):
        read_project(write(tmp_path, TOML + '[serving]\nenvironment = "ignore"\n'))
    with pytest.raises(UserError, match=r"unknown setting 'packages'; \[serving\] knows environment"):
        read_project(write(tmp_path, TOML + "[serving]\npackages = []\n"))


def test_how_long_a_stream_is_kept_and_by_which_clock_its_events_go_is_declared(tmp_path: Path) -> None:
    declared = TOML.replace('split_key = "entity"', 'split_key = "entity"\nretention = "90d"\nclock = "replay"')
    project = read_project(write(tmp_path, declared))
    assert (project.retention, project.retention_ms, project.ahead) == (timedelta(days=90), 90 * 86_400_000, None)
    default = read_project(write(tmp_path))
    assert (default.retention_ms, default.ahead) == (30 * 86_400_000, timedelta(hours=1))
    assert read_project(write(tmp_path, declared.replace("90d", "forever"))).retention_ms == -1


@pytest.mark.parametrize(
    ("line", "said"), [('retention = "10m"', "must be"), ('retention = "soon"', "retention"), ('clock = "sun"', "clock")]
)
def test_a_retention_or_clock_that_is_none_is_named_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(UserError, match=rf"driftloop.toml:8: .*{said}"):
        read_project(write(tmp_path, TOML.replace('split_key = "entity"', f'split_key = "entity"\n{line}')))


def test_late_rows_may_not_keep_more_windows_open_than_are_counted(tmp_path: Path) -> None:
    def declared(lateness: str, windows: str) -> str:
        late = TOML.replace('split_key = "entity"', f'split_key = "entity"\nallowed_lateness = "{lateness}"')
        return late.replace('every = "7d"', windows)

    minutes = 'every = "1m"'
    assert read_project(write(tmp_path, declared("5h", minutes))).allowed_lateness == timedelta(hours=5)
    with pytest.raises(UserError, match=r"driftloop.toml:8: .* keep 1440 windows open at once, and no more than 300"):
        read_project(write(tmp_path, declared("1d", minutes)))
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(500)]
    cuts = f"cuts = [{', '.join(day.isoformat() for day in days)}]"
    assert read_project(write(tmp_path, declared("300d", cuts))).windows.cuts == tuple(days)
    with pytest.raises(UserError, match="keep 400 windows open"):
        read_project(write(tmp_path, declared("400d", cuts)))
    assert MOST_OPEN + timedelta(hours=1) // timedelta(minutes=1) + KEPT_CLOSED_WINDOWS < MAX_WINDOWS


def test_an_archive_that_was_registered_before_that_was_checked_stays_readable(tmp_path: Path) -> None:
    text = TOML.replace('split_key = "entity"', 'split_key = "entity"\nallowed_lateness = "9000w"')
    files = {"driftloop.toml": text.encode(), "pipeline.py": PIPELINE.encode()}
    assert open_archive(parse_project(files, "test").archive()).allowed_lateness == timedelta(weeks=9000)
    with pytest.raises(UserError, match="9000 windows"):
        read_project(write(tmp_path, text))


def test_a_project_is_checked_where_numpy_is_not_installed(tmp_path: Path) -> None:
    """As in the registry's image."""
    write(tmp_path, TOML.replace('"r2"', '"mae"') + "[monitoring]\njs = 0.3\n")
    code = f"""
import sys
sys.modules.update(dict.fromkeys(("numpy", "pyarrow", "pandas")))
from pathlib import Path
from driftloop.errors import UserError
from driftloop.project.reading import read_project
folder = Path({str(tmp_path)!r})
project = read_project(folder)
print(project.task_metric.name, project.monitoring.thresholds)
toml = folder / "driftloop.toml"
toml.write_text(toml.read_text().replace("mae", "pinball:7"))
try:
    read_project(folder)
except UserError as exc:
    print(exc)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "mae {'psi': 0.25, 'ks': 0.2, 'js': 0.3}" in done.stdout
    assert "driftloop.toml:16: pinball needs a quantile between 0 and 1" in done.stdout
