import subprocess
import sys
from datetime import timedelta

import msgspec
import pyarrow as pa
import pytest
from tests.support.waiting import PATIENCE_SECONDS
from tests.unit.training import jobs

from driftloop.artifact import skops_file
from driftloop.project.model import Project
from driftloop.rows.schemas import TIME
from driftloop.statistics.profile import Profile
from driftloop.training.environment import child_variables, environment_digest
from driftloop.training.job import JOB_FILE, RESULT_FILE, write_json

FILES = ("model.skops", "profile.json", "card.md", "lineage.json")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A first version, trained without a champion on three windows."""
    folder = tmp_path_factory.mktemp("first") / "job"
    jobs.prepare(folder, jobs.project(), jobs.rows(), jobs.window(2))
    return folder, jobs.run(folder)


def test_the_first_version_is_fitted_on_all_history_and_measured_against_nobody(first):
    folder, result = first
    assert result.failure is None
    assert (result.trained.recipe, result.trained.candidates, result.trained.measurements) == ("all", (), None)
    profile = Profile.decode((folder / "profile.json").read_bytes())
    assert profile.rows == result.trained.rows < jobs.rows().num_rows
    assert "no champion" in (folder / "card.md").read_text()


def test_held_out_keys_are_never_fitted(first):
    folder, result = first
    lineage = msgspec.json.decode((folder / "lineage.json").read_bytes())
    assert lineage["rows"] == result.trained.rows
    assert lineage["held_out_rows"] == jobs.rows().num_rows - result.trained.rows > 0


def test_the_same_job_gives_the_same_bytes_in_another_process_with_another_hash_seed(first, tmp_path):
    folder, _ = first
    jobs.prepare(tmp_path / "again", jobs.project(), jobs.rows(), jobs.window(2))
    jobs.run(tmp_path / "again", PYTHONHASHSEED="77")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_seed_is_given_to_whatever_has_none(first):
    folder, _ = first
    assert skops_file.load((folder / "model.skops").read_bytes()).steps[-1][1].random_state == 0


def test_a_champion_that_the_world_has_left_behind_is_beaten_on_the_window(first, tmp_path):
    champion = (first[0] / "model.skops").read_bytes()
    flipped = jobs.rows(windows=6, seed=1)
    label = [(not v) if i >= 900 else v for i, v in enumerate(flipped.column("label").to_pylist())]
    table = flipped.set_column(flipped.column_names.index("label"), "label", [label])
    jobs.prepare(tmp_path / "job", jobs.project(), table, jobs.window(5), champion)
    result = jobs.run(tmp_path / "job").trained
    measured = result.measurements
    assert measured.champion < 0.2 < 0.8 < measured.candidate
    assert measured.gain_lower == pytest.approx(measured.gain, abs=0.1)
    assert (measured.champion_version, measured.window, measured.rows) == (7, jobs.window(5), 154)  # half of its keys
    assert [c.recipe for c in result.candidates] == ["all", "last:1"]
    assert result.recipe == "last:1"  # all history still remembers the old world
    lineage = msgspec.json.decode((tmp_path / "job" / "lineage.json").read_bytes())
    assert lineage["rows"] + lineage["held_out_rows"] == 300  # refitted on the judged window, which `last:1` ends with


def test_candidates_do_not_see_the_window_that_they_are_judged_on(first, tmp_path):
    champion = (first[0] / "model.skops").read_bytes()
    jobs.prepare(tmp_path / "job", jobs.project(), jobs.rows(windows=3, flip_in=2), jobs.window(2), champion)
    result = jobs.run(tmp_path / "job").trained
    assert all(candidate.metric < 0.2 for candidate in result.candidates)


@pytest.mark.parametrize(
    ("pipeline", "reason"),
    [
        ("def build():\n    raise RuntimeError('no such table')\n", "RuntimeError: no such table"),
        ("import no_such_module\ndef build(): pass\n", "importing pipeline.py raised ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "importing pipeline.py raised SystemExit"),
        ("x = 1\n", "no function build()"),
        ("def build():\n    return 3\n", "returned a int, not a scikit-learn pipeline"),
        (
            "from sklearn.dummy import DummyClassifier\ndef build():\n    return DummyClassifier()\n",
            "every row the same score",
        ),
        (
            "import copy\nfrom sklearn.preprocessing import FunctionTransformer\n"
            + jobs.PIPELINE.replace("return make_pipeline(", "return make_pipeline(FunctionTransformer(copy.copy), "),
            "not trusted: copy.copy; name them under",
        ),
        (
            "from helper import Same\n" + jobs.PIPELINE.replace("return make_pipeline(", "return make_pipeline(Same(), "),
            "holds helper.Same from the project folder",
        ),
    ],
    ids=["build-raises", "import-raises", "exits", "no-build", "no-pipeline", "constant", "untrusted", "own-class"],
)
def test_what_a_person_must_put_right_is_said_in_words(tmp_path, pipeline, reason):
    helper = "from sklearn.preprocessing import FunctionTransformer\nclass Same(FunctionTransformer):\n    pass\n"
    jobs.prepare(tmp_path / "job", jobs.project(pipeline, helper=helper), jobs.rows(), jobs.window(2))
    assert reason in jobs.run(tmp_path / "job").failure.reason


def test_labels_of_one_class_and_too_few_labels_are_said_in_words(tmp_path):
    table = jobs.rows()
    same = table.set_column(table.column_names.index("label"), "label", [[True] * table.num_rows])
    jobs.prepare(tmp_path / "one", jobs.project(), same, jobs.window(2))
    assert "one class" in jobs.run(tmp_path / "one").failure.reason
    jobs.prepare(tmp_path / "few", jobs.project(), table.slice(0, 10), jobs.window(2))
    assert "fewer than 20" in jobs.run(tmp_path / "few").failure.reason


def test_one_recipe_that_cannot_be_fitted_does_not_stop_the_others(first, tmp_path):
    champion = (first[0] / "model.skops").read_bytes()
    table = jobs.rows(windows=3)
    lonely = [True if 300 <= i < 600 else v for i, v in enumerate(table.column("label").to_pylist())]
    table = table.set_column(table.column_names.index("label"), "label", [lonely])
    jobs.prepare(tmp_path / "job", jobs.project(), table, jobs.window(2), champion)
    result = jobs.run(tmp_path / "job").trained
    assert result.recipe == "all"
    assert result.candidates[0].error is None
    assert "one class" in result.candidates[1].error


def test_the_process_ends_with_its_parent(tmp_path):
    slow = "import time\ndef build():\n    time.sleep(300)\n"
    jobs.prepare(tmp_path / "job", jobs.project(slow), jobs.rows(), jobs.window(2))
    process = jobs.start(tmp_path / "job")
    process.stdin.close()  # as the kernel does when the parent dies
    assert process.wait(PATIENCE_SECONDS) != 0
    process.stdout.close()
    assert not (tmp_path / "job" / RESULT_FILE).exists()


def test_users_code_sees_no_settings_of_the_service(monkeypatch):
    monkeypatch.setenv("DRIFTLOOP_TRAINER_S3_SECRET_KEY_FILE", "/run/secrets/key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert not {name for name in child_variables(2) if "DRIFTLOOP" in name or "AWS" in name}


def test_the_environment_has_one_digest_in_every_process_and_another_with_other_threads():
    def digest(threads: int, **more: str) -> str:
        command = [sys.executable, "-m", "driftloop.training.environment"]
        out = subprocess.run(command, env=child_variables(threads) | more, capture_output=True, check=True).stdout
        return environment_digest(msgspec.json.decode(out))

    assert digest(1) == digest(1) != digest(2)


def test_a_champion_of_an_earlier_schema_is_compared_on_the_features_that_it_knows(first, tmp_path):
    champion = (first[0] / "model.skops").read_bytes()
    wider = jobs.project(
        config=jobs.CONFIG.replace('colour = "category"', 'colour = "category"\nsize = { type = "number", required = false }')
    )
    table = jobs.rows(windows=6, seed=1)
    table = table.append_column("size", pa.array([None] * 900 + [float(n % 7) for n in range(900)], pa.float64()))
    job = jobs.prepare(tmp_path / "job", wider, table, jobs.window(5), champion)
    write_json(tmp_path / "job" / JOB_FILE, msgspec.structs.replace(job, champion_schema=jobs.project().schema))
    measured = jobs.run(tmp_path / "job").trained.measurements
    assert measured.champion_version == 7
    assert measured.champion > 0.8


def test_a_feature_that_no_fitted_row_has_yet_hinders_nobody(tmp_path):
    """As in the first comparison after a new optional feature: candidates are fitted on the rows before it came."""
    more = 'colour = "category"\nsize = { type = "number", required = false }\nnote = { type = "category", required = false }'
    pipeline = jobs.PIPELINE.replace('["colour"]', '["colour", "note"]')
    table = jobs.rows()
    table = table.append_column("size", pa.nulls(900, pa.float64())).append_column("note", pa.nulls(900, pa.string()))
    jobs.prepare(tmp_path / "job", jobs.project(pipeline, jobs.CONFIG.replace('colour = "category"', more)), table, jobs.window(2))
    result = jobs.run(tmp_path / "job")
    assert result.failure is None
    profile = Profile.decode((tmp_path / "job" / "profile.json").read_bytes())
    assert profile.columns["size"].counts[0] == profile.rows  # missing, as it is


TIMED = jobs.CONFIG.replace('colour = "category"', 'colour = "category"\nstart = {{ type = "datetime", parts = {parts} }}\n{more}')


def with_times(table: pa.Table, *names: str) -> pa.Table:
    """Starts at hours that follow from the price, a few of them missing; bought if late in the day."""
    hours = [None if p is None else int(min(23, max(0, p + 2))) for p in table.column("price").to_pylist()]
    starts = [None if h is None else jobs.START + timedelta(days=i % 30, hours=h) for i, h in enumerate(hours)]
    for name in names:
        table = table.append_column(name, pa.array(starts, TIME))
    label = pa.array([h is not None and h >= 12 for h in hours])
    return table.set_column(table.column_names.index("label"), "label", label).drop_columns(["price"])


def timed(parts: str, more: str = "", pipeline: str = jobs.PIPELINE, trusted: str = "") -> Project:
    config = TIMED.format(parts=parts, more=more).replace('price = "number"\n', "")
    return jobs.project(pipeline, config + trusted)


def test_a_model_learns_from_parts_of_a_time_and_the_same_job_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        jobs.prepare(tmp_path / name, timed('["hour", "weekday"]'), with_times(jobs.rows(), "start"), jobs.window(2))
        assert jobs.run(tmp_path / name).failure is None
    assert all((tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes() for name in FILES)
    card = (tmp_path / "one" / "card.md").read_text()
    assert "- `start`: datetime, as hour, weekday" in card
    assert "roc_auc 1.0000" in card
    profile = Profile.decode((tmp_path / "one" / "profile.json").read_bytes())
    assert set(profile.columns) == {"colour", "start.hour", "start.weekday", "$score"}
    assert profile.columns["start.hour"].counts[0] > 0  # missing times are missing


WHOLE = """
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

def build():
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    days = make_pipeline(FunctionTransformer(np.asarray, kw_args={"dtype": "datetime64[D]"}), encoder)
    return make_pipeline(
        make_column_transformer((encoder, ["colour"]), (days, ["due"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=10),
    )
"""


def test_a_whole_time_is_learned_from_through_the_pipelines_own_transformer(tmp_path):
    project = timed('["hour"]', 'due = "datetime"', WHOLE, 'trusted_types = ["numpy.asarray"]\n')
    table = with_times(jobs.rows(), "start", "due")
    jobs.prepare(tmp_path / "job", project, table, jobs.window(2))
    assert jobs.run(tmp_path / "job").failure is None
    first = min(due for due in table.column("due").to_pylist() if due is not None)
    assert Profile.decode((tmp_path / "job" / "profile.json").read_bytes()).columns["due"].low == first.timestamp()


def test_a_pipeline_that_takes_no_times_says_which_feature_is_one(tmp_path):
    project = timed('["hour"]', 'due = "datetime"')
    jobs.prepare(tmp_path / "job", project, with_times(jobs.rows(), "start", "due"), jobs.window(2))
    failure = jobs.run(tmp_path / "job").failure
    assert "due came as datetime64: declare parts of it, or let the pipeline transform it into numbers" in failure.reason


def test_a_champion_is_given_the_parts_that_it_was_fitted_on(tmp_path):
    hours, days = timed('["hour"]'), timed('["day", "weekday"]')
    jobs.prepare(tmp_path / "first", hours, with_times(jobs.rows(), "start"), jobs.window(2))
    assert jobs.run(tmp_path / "first").failure is None
    champion = (tmp_path / "first" / "model.skops").read_bytes()
    job = jobs.prepare(tmp_path / "job", days, with_times(jobs.rows(windows=6, seed=1), "start"), jobs.window(5), champion)
    write_json(tmp_path / "job" / JOB_FILE, msgspec.structs.replace(job, champion_schema=hours.schema))
    measured = jobs.run(tmp_path / "job").trained.measurements
    assert measured.champion > 0.99
    assert measured.candidate < 0.7
