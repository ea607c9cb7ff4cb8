"""`driftloop backtest` from a folder and a file, in this process; fits run in others."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from tests.unit.training import jobs

from driftloop.cli.backtest import backtest

NEVER, EAGER = (
    "[policy]\ntriggers = []\n",
    '[training]\ncandidates = ["last:1"]\n[promotion]\ntolerance = -1.0\nmin_rows = 1\npromotion_worth = 0.0\n',
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    rows = jobs.rows(windows=6, flip_in=None)
    flipped = [(not label) if i >= 900 else label for i, label in enumerate(rows.column("label").to_pylist())]
    pq.write_table(rows.set_column(rows.column_names.index("label"), "bought", [flipped]), root / "rows.parquet")
    config = jobs.CONFIG + '[promotion]\nmin_rows = 50\n[backtest]\ndata = "rows.parquet"\nentity = ["entity"]\n'
    (root / "driftloop.toml").write_text(config)
    (root / "pipeline.py").write_text(jobs.PIPELINE)
    (root / "never.toml").write_text(NEVER)
    (root / "eager.toml").write_text(EAGER)
    return root


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRIFTLOOP_CACHE", str(folder / "cache"))

    def invoked(*arguments: str, code: int = 0):
        result = CliRunner().invoke(backtest, [str(folder), *arguments])
        assert result.exit_code == code, result.output
        return result

    return invoked


def test_the_projects_own_rules_over_its_own_data(run) -> None:
    report = json.loads(run("--json").stdout)
    (policy,) = report["policies"]
    assert {"name", "mean_score", "scores", "retrainings", "promotions", "recalibrations", "regret"} <= set(policy)
    assert (policy["name"], len(policy["scores"]), policy["regret"]) == ("project", 4, None)
    assert policy["promotions"] >= 1  # the world turned upside down in the fourth window
    assert policy["scores"][1] < 0.2 < 0.8 < policy["scores"][-1]


def test_policies_side_by_side_with_their_regret_and_a_picture(run, folder: Path) -> None:
    files = ["--policy", str(folder / "never.toml"), "--policy", str(folder / "eager.toml")]
    report = json.loads(run(*files, "--oracle", "--json", "--picture", str(folder / "loop.svg")).stdout)
    never, eager = report["policies"]
    assert (never["name"], never["retrainings"], never["promotions"]) == ("never", 0, 0)
    assert (eager["name"], eager["promotions"]) == ("eager", 3)
    assert never["regret"] == pytest.approx(0.0, abs=1e-12)  # no promotion, no other timing
    assert eager["regret"] >= 0
    assert eager["mean_score"] > never["mean_score"]
    picture = ElementTree.fromstring((folder / "loop.svg").read_text())
    assert len(picture.findall("{*}polyline")) == 2
    assert len(picture.findall("{*}circle")) == 3


def test_a_person_is_shown_a_table_that_says_why(run) -> None:
    told = run()
    assert "project: 4 of 4" in told.stderr.splitlines(), "without a terminal it says in lines how far it is"
    shown = told.stdout
    assert "roc_auc" in shown
    assert "lower bound of the gain" in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy]\ntriggers = [\n", "bad.toml: "),
        (
            "[stream]\nname = 'x'\n",
            "bad.toml:1: a policy file has the tables [policy], [training], [promotion], [monitoring], not 'stream'",
        ),
        ("[training]\nseed = 3\n", "bad.toml:2: 'seed' is the project's: policies are compared over the same fits"),
        ("[policy]\n\nbudjet = 3\n", "bad.toml:3: unknown setting 'budjet'"),
        ('[training]\ncandidates = ["last:0"]\n', "bad.toml:2: training.candidates: 'last:0' is no recipe"),
    ],
)
def test_a_wrong_policy_file_is_named_with_its_line(run, folder: Path, text: str, said: str) -> None:
    (folder / "bad.toml").write_text(text)
    assert said in run("--policy", str(folder / "bad.toml"), code=2).stderr


def test_a_missing_file_and_too_few_windows_are_said_in_words(run, folder: Path) -> None:
    assert "there is no such file" in run("--data", str(folder / "gone.parquet"), code=2).stderr
    assert "need 4" in run("--windows", "3", code=2).stderr
