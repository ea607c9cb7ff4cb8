"""`driftloop lake compact|clean|archive`: as people call it, on the real store."""

import json

import pytest
from click.testing import CliRunner
from tests.support.lake_rows import flush_of, lake_inferences

from driftloop.cli.lake import lake
from driftloop.lake import archived_log
from driftloop.lake.commit import commit, store_files


@pytest.fixture
def command(s3, tmp_path, monkeypatch, open_table, store, schema):
    """The command over a stream with four small files of inferences and no labels."""
    (tmp_path / "access").write_text(s3.access_key)
    (tmp_path / "secret").write_text(s3.secret_key)
    given = {"KAFKA_BOOTSTRAP": "unused:1", "S3_ENDPOINT": s3.endpoint, "S3_BUCKET": s3.bucket, "S3_REGION": s3.region}
    given |= {"S3_ACCESS_KEY_FILE": str(tmp_path / "access"), "S3_SECRET_KEY_FILE": str(tmp_path / "secret"), "REGISTRY_URL": "unused"}
    for name, value in given.items():
        monkeypatch.setenv(f"DRIFTLOOP_CLI_{name}", value)
    table = open_table("inferences")
    open_table("labels")
    for at in range(0, 40, 10):
        flush = flush_of(lake_inferences(schema, 0, at, at + 10), 0, at, at + 10)
        store_files(store, table, flush)
        commit(table, store, flush)

    def run(*arguments):
        return CliRunner().invoke(lake, [str(a) for a in arguments])

    return run


def inferences(result):
    assert result.exit_code == 0, result.output
    return next(t for t in json.loads(result.stdout)["tables"] if t["table"] == "inferences")


def test_a_dry_run_says_what_is_then_done(command, schema, open_table):
    promised = inferences(command("compact", schema.stream, "--dry-run", "--json"))
    assert open_table().version == 4
    done = inferences(command("compact", schema.stream, "--json"))
    keys = ("files_before", "files_after", "replaced", "rows", "bytes")
    assert [promised[k] for k in keys] == [done[k] for k in keys]
    assert (done["files_before"], done["files_after"], done["rows"], done["version"]) == (4, 1, 40, 5)
    would = inferences(command("clean", schema.stream, "--dry-run", "--grace", "0s", "--json"))
    assert (would["marked"], would["deleted"], [f["action"] for f in would["files"]]) == (4, 0, ["mark"] * 4)
    assert inferences(command("clean", schema.stream, "--json"))["marked"] == 4
    would = inferences(command("clean", schema.stream, "--dry-run", "--grace", "0s", "--json"))
    done = inferences(command("clean", schema.stream, "--grace", "0s", "--json"))
    assert (would["deleted"], would["bytes"]) == (done["deleted"], done["bytes"]) == (4, done["bytes"])
    assert open_table().read().num_rows == 40


def test_people_get_tables(command, schema):
    assert "4" in command("compact", schema.stream).stdout
    shown = command("clean", schema.stream, "--dry-run").stdout
    assert "Would be done" in shown
    assert "mark inferences/0/30-" in shown


def test_an_old_log_is_archived(command, schema, open_table, monkeypatch):
    monkeypatch.setattr(archived_log, "BLOCK", 2)
    open_table().delta.create_checkpoint()
    assert inferences(command("archive", schema.stream, "--json"))["entries"] == 0, "all is younger than a week"
    promised = inferences(command("archive", schema.stream, "--keep", "0s", "--dry-run", "--json"))
    done = inferences(command("archive", schema.stream, "--keep", "0s", "--json"))
    assert (promised["entries"], promised["bytes"]) == (done["entries"], done["bytes"]) == (4, done["bytes"])
    assert [open_table().note(version).moves[0].end for version in range(1, 5)] == [10, 20, 30, 40]
    assert "archived bytes" in command("archive", schema.stream).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("compact", "no-such-stream"), "the lake holds no stream no-such-stream"),
        (("compact", "../../etc"), "is no name of a stream"),
        (("clean", "a/b"), "is no name of a stream"),
        (("archive", "no-such-stream"), "the lake holds no stream no-such-stream"),
        (("archive", "x", "--keep", "soon"), "'soon' is no duration; one looks like"),
        (("clean", "x", "--grace", "soon"), "'soon' is no duration; one looks like"),
        (("clean", "x", "--grace", "-1d"), "'-1d' is no duration"),
    ],
)
def test_a_mistake_is_one_line(command, arguments, says):
    result = command(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_damaged_file_is_named_and_left_as_it_is_and_the_others_are_merged(command, schema, store, open_table):
    damaged = open_table().files()[0].path
    key = f"{open_table().root}/{damaged}"
    store.put(key, store.get(key)[:-1])
    result = command("compact", schema.stream)
    assert result.exit_code == 1
    assert key in result.stderr
    assert [file.path == damaged for file in open_table().files()].count(True) == 1
    assert len(open_table().files()) == 2
