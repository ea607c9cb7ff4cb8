"""Which instances a stack runs: numbers, ports and projects stay with those that stay."""

from pathlib import Path

import pytest
from tests.support.stack_addresses import stack_addresses

from driftloop.local.addresses import StackAddresses
from driftloop.local.errors import LocalStackError
from driftloop.local.instances import ONE_OF_EACH, Instance, changed, instances_of, named, projects_of, restarted, unnamed, without
from driftloop.local.kept_instances import as_json, from_json, keep_instances, kept_instances, state_dir
from driftloop.local.up import _at_start, _while_running
from driftloop.service.project import remember_project

EACH = instances_of(ONE_OF_EACH)
ALPHA = named(EACH, "alpha")
BOTH = changed(ALPHA, {}, "beta")


def names(instances: list[Instance], project: str | None = None) -> list[str]:
    return [i.name for i in instances if i.project == project]


def test_a_second_project_gets_one_of_each_that_works_for_one_and_shares_the_rest() -> None:
    assert names(BOTH) == ["registry-0", "trainer-0", "console-0"]
    assert names(BOTH, "alpha") == ["ingest-0", "predictor-0", "monitor-0"]
    assert names(BOTH, "beta") == ["ingest-1", "predictor-1", "monitor-1"]


def test_removing_one_leaves_the_others_and_their_numbers_alone() -> None:
    assert without(BOTH, "beta") == ALPHA
    left = without(BOTH, "alpha")
    assert names(left, "beta") == ["ingest-1", "predictor-1", "monitor-1"]
    assert changed(left, {}, "alpha") == BOTH
    with pytest.raises(LocalStackError, match="nothing runs here for a project 'gamma'; there is alpha, beta"):
        without(BOTH, "gamma")


def test_counts_of_a_service_that_works_for_a_project_are_that_projects() -> None:
    more = changed(BOTH, {"predictor": 3, "trainer": 2}, "alpha")
    assert names(more, "alpha") == ["ingest-0", "predictor-0", "predictor-2", "predictor-3", "monitor-0"]
    assert names(more, "beta") == ["ingest-1", "predictor-1", "monitor-1"]
    assert names(more) == ["registry-0", "trainer-0", "trainer-1", "console-0"]
    assert changed(more, {"predictor": 1, "trainer": 1}, "alpha") == BOTH


def test_with_several_projects_it_must_be_said_whose_count_it_is() -> None:
    with pytest.raises(LocalStackError, match="predictor of which project"):
        changed(BOTH, {"predictor": 2})
    assert names(changed(BOTH, {"trainer": 2})) == ["registry-0", "trainer-0", "trainer-1", "console-0"]
    assert names(changed(ALPHA, {"predictor": 2}), "alpha") == ["ingest-0", "predictor-0", "predictor-1", "monitor-0"]


def test_a_stack_has_ten_of_a_service_for_all_projects_together() -> None:
    nine = changed(BOTH, {"predictor": 9}, "alpha")
    with pytest.raises(LocalStackError, match="predictor=11"):
        changed(nine, {"predictor": 2}, "beta")
    with pytest.raises(LocalStackError, match="one registry"):
        changed(BOTH, {"registry": 2})


def test_the_next_start_is_one_of_each_for_each_project_under_the_numbers_of_before() -> None:
    scaled = changed(changed(BOTH, {"predictor": 3}, "beta"), {"ingest": 2}, "alpha")
    assert restarted(scaled) == BOTH
    assert restarted(without(BOTH, "alpha")) == without(BOTH, "alpha")
    assert restarted(EACH) == EACH
    assert names(restarted(without(ALPHA, "alpha"))) == ["registry-0", "trainer-0", "console-0"]  # a project that was taken down stays down


def test_a_list_of_instances_is_kept_beside_the_data(tmp_path: Path) -> None:
    assert kept_instances(tmp_path) is None
    keep_instances(tmp_path, BOTH)
    assert kept_instances(tmp_path) == BOTH
    assert from_json(as_json(EACH)) == EACH
    (tmp_path / "instances.json").write_text("[1, 2]")
    with pytest.raises(LocalStackError, match=r"instances\.json is no list of instances .* remove it"):
        kept_instances(tmp_path)


def test_no_two_projects_share_a_state_folder(tmp_path: Path) -> None:
    one, other = Instance("ingest", 1, "beta"), Instance("ingest", 1, "gamma")
    assert len({state_dir(tmp_path, instance) for instance in (one, other, Instance("ingest", 1))}) == 3


def test_the_first_project_of_a_new_home_gets_named_services_at_once(tmp_path: Path) -> None:
    assert _at_start(tmp_path, {}, "alpha") == ALPHA
    assert _at_start(tmp_path, {"predictor": 2}, None) == instances_of({**ONE_OF_EACH, "predictor": 2})


def test_a_home_that_kept_no_list_is_asked_for_its_project_once_it_runs(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    assert _at_start(tmp_path, {}, "beta") == EACH
    assert _while_running(running(tmp_path, EACH), {}, "beta", lambda _: ["alpha"]) == BOTH


@pytest.mark.parametrize("known", [[], ["alpha"], ["alpha", "beta"]])
def test_services_that_wait_get_the_first_project(tmp_path: Path, known: list[str]) -> None:
    assert _while_running(running(tmp_path, EACH), {}, "alpha", lambda _: known) == ALPHA


def test_services_that_remember_their_project_keep_it_when_a_second_one_is_registered_already(tmp_path: Path) -> None:
    remember_project(state_dir(tmp_path, EACH[2]) / EACH[2].name, "alpha")
    assert _while_running(running(tmp_path, EACH), {}, "beta", lambda _: ["alpha", "beta"]) == BOTH
    assert _while_running(running(tmp_path, EACH), {}, "beta", lambda _: ["beta", "gamma"]) == named(EACH, "beta")  # alpha is no more


def test_without_a_project_nothing_is_named_and_nobody_asked(tmp_path: Path) -> None:
    def nobody(_: StackAddresses) -> list[str]:
        raise AssertionError("the registry was asked")

    assert _while_running(running(tmp_path, EACH), {"monitor": 2}, None, nobody) == instances_of({**ONE_OF_EACH, "monitor": 2})
    assert _while_running(running(tmp_path, BOTH), {}, "beta", nobody) == BOTH


def running(home: Path, instances: list[Instance]) -> StackAddresses:
    found = stack_addresses(
        home,
        services={i.name: "http://127.0.0.1" for i in instances},
        projects={i.name: i.project for i in instances if i.project is not None},
    )
    assert found.instances == instances
    assert unnamed(found.instances) or projects_of(found.instances)
    return found
