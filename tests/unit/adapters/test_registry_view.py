"""The SQLite view against the state that it shows."""

import sqlite3

import pytest
from tests.unit.registry.commands import (
    NOW,
    approve,
    delete,
    digest,
    measured,
    move_alias,
    promote,
    register_project,
    register_version,
    reject,
)
from tests.unit.registry.corrections import HALF, project, recalibrate

from driftloop.adapters.registry_view import RegistryView
from driftloop.contracts.commands import RefuseRun
from driftloop.contracts.values import PromotionRules
from driftloop.registry import entries
from driftloop.registry.fold import RegistryState, fold
from driftloop.registry.view import ViewBroken, ViewUnavailable

LOG = (
    register_project(),
    register_version("r1"),
    promote("r1", epoch=0),
    register_version("r2"),
    promote("r2", epoch=1, measured=measured(against=1, rows=3)),
    move_alias(10**30, epoch=1, command_id="refused"),
    move_alias(2, epoch=0, command_id="challenger", alias="challenger"),
    move_alias(2, epoch=1, command_id="forth"),
    register_project("project-2", archive="other"),
    move_alias(1, epoch=2, command_id="back"),
)
BY_PERSON = (
    register_project(rules=PromotionRules(approval="person")),
    register_version("r1"),
    promote("r1", epoch=0),  # waits
    approve(1),  # and does so no longer
    register_version("r2"),
    promote("r2", epoch=1, measured=measured(against=1)),
    reject(2),
    delete(2),
)


def states(log=LOG):
    state = RegistryState()
    for offset, command in enumerate(log):
        state, _ = fold(state, command, offset)
        yield state


@pytest.fixture
def view(tmp_path):
    made = RegistryView(tmp_path / "registry.sqlite")
    made.recreate(RegistryState())
    yield made
    made.close()


@pytest.mark.parametrize("every", [1, 3, 10])
def test_view_written_step_by_step_has_the_states_digest(view, every):
    for n, state in enumerate(states(), 1):
        if n % every == 0 or n == len(LOG):
            view.write(state)
            assert view.digest() == (state.next_offset, state.digest())


def test_what_people_said_of_versions_is_written_changed_and_taken_away_step_by_step(view):
    for state in states(BY_PERSON):
        view.write(state)
        assert view.digest() == (state.next_offset, state.digest())

    with sqlite3.connect(view.path) as db:
        said = db.execute("SELECT model, version, state, actor, reason FROM standings").fetchall()
    db.close()
    assert said == [("flights", 2, "deleted", "ada", "withdrawn rows")]


def test_refused_commands_that_are_remembered_no_more_leave_the_view(view):
    late = [move_alias(1, epoch=99, command_id=f"late-{n}") for n in range(entries.MAX_REFUSED + 250)]
    strays = [move_alias(1, epoch=0, command_id=f"stray-{n}", model="nobodys") for n in range(entries.MAX_REFUSED + 5)]
    for n, state in enumerate(states((*LOG, *late, *strays))):
        if n % 200 == 0:
            view.write(state)
    view.write(state)

    assert view.digest() == (state.next_offset, state.digest())
    with sqlite3.connect(view.path) as db:
        (shown,) = db.execute("SELECT count(*) FROM commands").fetchone()
    db.close()
    assert shown == 2 * entries.MAX_REFUSED + sum(entry.outcome.accepted for entry in state.model("flights").history.values())


def test_refused_runs_are_written_and_counted_in(view):
    refused = RefuseRun(
        command_id="register-r9",
        at=NOW,
        actor="registry",
        reason="r",
        model="flights",
        request_id="r9",
        manifest=digest("m"),
        problem="gone",
    )
    for state in states((*LOG, refused, register_version("r10"))):
        view.write(state)

    assert view.digest() == (state.next_offset, state.digest())
    with sqlite3.connect(view.path) as db:
        assert db.execute("SELECT request_id, problem FROM refused_runs").fetchall() == [("r9", "gone")]
        db.execute("DELETE FROM refused_runs")
    db.close()
    assert view.digest() != (state.next_offset, state.digest())


def test_recalibrations_are_written_replaced_and_counted_in(view):
    log = (project(), *LOG[1:3], recalibrate(), recalibrate(HALF, command_id="half", epoch=1))
    for state in states(log):
        view.write(state)
        assert view.digest() == (state.next_offset, state.digest())
    with sqlite3.connect(view.path) as db:
        found = db.execute("SELECT model, epoch, version, champion_epoch, kind, actor, reason FROM recalibrations").fetchall()
        db.execute("UPDATE recalibrations SET content = replace(content, '0.95', '0.96')")
    db.close()
    assert found == [("flights", n, 1, 1, "logit", "ada", "it overestimates") for n in (1, 2)]
    assert view.digest() != (state.next_offset, state.digest())


def test_view_made_at_once_has_the_states_digest(view):
    *_, last = states()

    view.recreate(last)

    assert view.digest() == (len(LOG), last.digest())


def test_people_can_ask_in_sql(view):
    *_, last = states()
    view.write(last)

    with sqlite3.connect(view.path) as db:
        champion = db.execute("SELECT version, epoch FROM aliases WHERE model = 'flights' AND name = 'champion'").fetchall()
        refused = db.execute("SELECT count(*) FROM commands WHERE NOT accepted").fetchone()
    db.close()

    assert champion == [(1, 3)]
    assert refused == (2,)


def test_deleted_file_is_noticed_though_sqlite_would_write_on(view):
    first, second, *_ = states()
    view.write(first)
    view.path.unlink()

    with pytest.raises(ViewBroken):
        view.write(second)
    view.recreate(second)

    assert view.digest() == (2, second.digest())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE aliases SET content = replace(content, '\"version\":1', '\"version\":2')",
        "UPDATE commands SET content = replace(content, 'a person', 'a parson')",
        "DELETE FROM commands WHERE log_offset = 1",
        "DELETE FROM versions",
        "UPDATE meta SET value = value + 1",
        "UPDATE refusals SET chain = 'ff' || chain",
    ],
)
def test_changed_content_shows_in_the_digest(view, damage):
    *_, last = states()
    view.write(last)
    with sqlite3.connect(view.path) as db:
        assert db.execute(damage).rowcount > 0
    db.close()

    assert view.digest() != (len(LOG), last.digest())


@pytest.mark.parametrize("damage", ["UPDATE versions SET content = '{}'", "DROP TABLE aliases", "DELETE FROM meta"])
def test_unreadable_content_is_broken(view, damage):
    *_, last = states()
    view.write(last)
    with sqlite3.connect(view.path) as db:
        db.execute(damage)
    db.close()

    with pytest.raises(ViewBroken):
        view.digest()


def test_somebody_elses_lock_is_no_damage(view):
    first, second, *_ = states()
    view.write(first)
    other = sqlite3.connect(view.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(ViewUnavailable):
            view.write(second)
    finally:
        other.execute("ROLLBACK")
        other.close()
    view.write(second)

    assert view.digest() == (2, second.digest())
