"""`driftloop decisions replay --journal`: a file of decisions under another policy, and mistakes named by file and line."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.unit.monitoring.test_replay import record
from tests.unit.training import jobs

from driftloop.cli.decisions import decisions
from driftloop.client.replayed_decisions import replayed_journal
from driftloop.errors import UserError
from driftloop.monitoring.replay import replay
from driftloop.project.policy_file import policy_text, read_policy, with_policy
from driftloop.project.rules import Policy

POLICY = '[policy]\ntriggers = ["schedule"]\nschedule = "3d"\nmin_new_labels = 100\n'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "other.toml"
    path.write_text(POLICY)
    return path


def entries() -> list[dict]:
    """As `driftloop decisions --json` prints them."""
    return [{"id": str(n), "time": "2026-01-01T00:00:00Z", **msgspec.to_builtins(d)} for n, d in enumerate(record())]


def as_lines(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    path.write_text("\n".join(map(json.dumps, entries())) + "\n\n")
    return path


def as_list(tmp_path: Path) -> Path:
    path = tmp_path / "journal.json"
    path.write_text(json.dumps(entries(), indent=2))
    return path


@pytest.mark.parametrize("written", [as_lines, as_list])
def test_a_journal_is_replayed_without_any_stack(tmp_path, policy, written):
    shown = CliRunner().invoke(decisions, ["replay", "--policy", str(policy), "--journal", str(written(tmp_path))])
    assert shown.exit_code == 0, shown.output
    assert "9 windows: 9 attempts on record, 3 by the other policy; 6 decisions differ" in shown.output
    assert "no moment has come" in shown.output


def test_as_json_every_window_is_there(tmp_path, policy):
    shown = CliRunner().invoke(decisions, ["replay", "--policy", str(policy), "--journal", str(as_lines(tmp_path)), "--json"])
    found = json.loads(shown.output)
    assert (found["recorded_attempts"], found["replayed_attempts"], len(found["decisions"])) == (9, 3, 9)
    assert replayed_journal(as_list(tmp_path), policy) == replay("m", read_policy(policy), record())


@pytest.mark.parametrize(
    ("journal", "words"),
    [
        ('{"model": "m"}\n', "journal:1: no decision: Object missing required field"),
        ("\nnot json\n", "journal:2: "),
        ("[1]", "journal:decision 1: no decision"),
        ("", "has no retrain decision; one is made when a window of a scored stream closes"),
    ],
)
def test_a_journal_that_is_none_is_refused_with_its_line(tmp_path, policy, journal, words):
    path = tmp_path / "journal"
    path.write_text(journal)
    with pytest.raises(UserError, match=words):
        replayed_journal(path, policy)


def test_of_several_models_one_has_to_be_named(tmp_path, policy):
    path = tmp_path / "journal"
    both = [msgspec.structs.replace(record()[0], model=name) for name in ("a", "b")]
    path.write_text("\n".join(msgspec.json.encode(d).decode() for d in both))
    with pytest.raises(UserError, match="decisions of several models: name one of a, b"):
        replayed_journal(path, policy)
    assert replayed_journal(path, policy, "b").model == "b"
    with pytest.raises(UserError, match="has no retrain decision of c; it has some of a, b"):
        replayed_journal(path, policy, "c")


def test_a_policy_is_read_from_a_whole_project_file_too(tmp_path):
    path = tmp_path / "driftloop.toml"
    path.write_text('[project]\nname = "x"\n' + POLICY + "[training]\nseed = 3\n")
    assert read_policy(path) == Policy(triggers=("schedule",), schedule="3d", min_new_labels=100)


def test_a_policy_file_means_the_same_to_a_replay_and_to_a_backtest(tmp_path):
    """A whole project's too: of it a backtest takes the rules, and what the project alone says stays."""
    project = jobs.project()
    path = tmp_path / "driftloop.toml"
    for text in (POLICY, '[project]\nname = "x"\n' + POLICY + "[training]\nseed = 3\nmargin = 0.5\n"):
        path.write_text(text)
        under = with_policy(project, policy_text(path), str(path))
        assert under.policy == read_policy(path)
        assert (under.name, under.training.seed) == (project.name, project.training.seed)
    assert under.training.margin == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "1: there is no policy"),
        ("policy = 3", "1: there is no policy"),
        ("[policy]\ncooldwn = '1d'", "2: unknown setting 'cooldwn'; \\[policy\\] knows triggers,"),
        ("[policy]\ntriggers = ['week']", "2: policy.triggers.*one of drift, labels, performance, schedule, window"),
        ("[policy]\n\ncooldown = 'a day'", "3: policy.cooldown: 'a day' is not a duration"),
        ("[policy]\ntriggers = ['labels']", '2: the trigger "labels" needs to know how many'),
        ("[policy", "Expected ']'"),
        ("[policy]\n[stream]\nname = 'x'", "2: a policy file has the tables .*, not 'stream'"),  # as a backtest says
        ("[policy]\n[training]\nseed = 3", "3: 'seed' is the project's"),
    ],
)
def test_a_mistake_in_a_policy_is_named_with_its_line(tmp_path, text, words):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=words):
        read_policy(path)


def test_files_that_are_not_there_are_named(tmp_path, policy):
    with pytest.raises(UserError, match="No such file"):
        read_policy(tmp_path / "none.toml")
    with pytest.raises(UserError, match="No such file"):
        replayed_journal(tmp_path / "none", policy)
