"""Rights on the broker follow from the tables of services and topics."""

from driftloop.contracts.broker_rights import USERS, quotas, rights
from driftloop.contracts.services import SERVICES
from driftloop.contracts.topics import CONTROL_TOPICS, REGISTRY_LOG, stream_topics


def may(user: str, name: str) -> set[str]:
    return {right.operation for right in rights(["shop"]) if right.user == user and right.name == name}


def test_who_reads_and_writes_a_topic_may_and_nobody_else() -> None:
    for topic in (*CONTROL_TOPICS, *stream_topics("shop")):
        for service in SERVICES:
            assert ("read" in may(service, topic.name)) == (service in topic.read_by), (service, topic.name)
            assert ("write" in may(service, topic.name)) == (service in topic.written_by), (service, topic.name)


def test_a_service_is_in_its_own_group_alone() -> None:
    groups = {(right.user, right.name) for right in rights(["shop"]) if right.resource == "group"}
    of_stream = {(name, f"{name}-shop") for name in ("ingest", "monitor", "predictor")}
    shadow = ("ingest", "shadow-shop")  # of the process that it starts for a challenger
    assert groups == of_stream | {(name, name) for name in ("console", "notifier", "registry", "trainer")} | {shadow}


def test_applications_may_send_and_nothing_else() -> None:
    found = {(right.name, right.operation) for right in rights(["shop"]) if right.user == "applications"}
    assert found == {(f"shop.{kind}", operation) for kind in ("labels", "requests") for operation in ("describe", "write")}


def test_only_the_commands_may_alter_the_cluster() -> None:
    assert {right.user for right in rights(["shop"]) if right.resource == "cluster"} == {"cli"}


def test_every_user_of_the_topics_is_known() -> None:
    assert {right.user for right in rights(["shop"])} == set(USERS)


def test_a_quota_lets_the_largest_message_through_to_every_partition() -> None:
    by_user = {quota.user: quota for quota in quotas(["shop"], partitions=8)}
    largest = max(topic.max_message_bytes for topic in stream_topics("shop"))
    assert by_user["predictor"].produce >= 8 * largest
    assert by_user["ingest"].consume >= 2 * 8 * largest


def test_whoever_works_for_a_project_follows_what_the_registry_says_of_it() -> None:
    for service in SERVICES.values():
        assert not service.for_project or {"read", "describe"} <= may(service.name, REGISTRY_LOG), service.name
