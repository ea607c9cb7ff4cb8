"""Rights on the broker: as the table has them, and given."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from driftloop.client.arguments import stream_name
from driftloop.client.connections import Connections
from driftloop.contracts.broker_rights import USERS, BrokerRight, Quota, quotas, rights
from driftloop.contracts.existing_topics import ExistingTopics
from driftloop.contracts.values import Part
from driftloop.errors import ConfigurationError, UserError
from driftloop.project.reading import read_project


class GivenRights(Part, frozen=True, kw_only=True):
    """``given``: those that were missing; ``before``: how many were there already; ``quotas``: those that were set."""

    given: tuple[BrokerRight, ...]
    before: int
    quotas: tuple[Quota, ...] = ()


def wanted_rights(streams: Sequence[str], existing: Mapping[str, ExistingTopics] = MappingProxyType({})) -> tuple[BrokerRight, ...]:
    """``existing``: by stream, topics of somebody else. Raises UserError for what is no stream's name."""
    return rights([stream_name(stream) for stream in streams], existing)


def of_projects(folders: Sequence[Path]) -> dict[str, ExistingTopics]:
    """The streams of projects, with their topics that are not ours. Raises UserError."""
    return {project.stream: project.existing for project in map(read_project, folders)}


def wanted_quotas(streams: Sequence[str]) -> tuple[Quota, ...]:
    """Raises UserError for what is no stream's name."""
    return quotas([stream_name(stream) for stream in streams])


def principals(named: Mapping[str, str]) -> Callable[[str], str]:
    """``User:<name>`` of each user of the table; ``named`` says who is called otherwise on this broker. Raises UserError."""
    unknown = next((user for user in named if user not in USERS), None)
    if unknown is not None:
        raise UserError(f"{unknown!r} is none of {', '.join(USERS)}")
    return lambda user: f"User:{named.get(user, user)}"


def given_rights(
    to: Connections,
    streams: Sequence[str],
    named: Mapping[str, str],
    *,
    with_quotas: bool,
    existing: Mapping[str, ExistingTopics] = MappingProxyType({}),
) -> GivenRights:
    """Raises UserError when the broker has no authorizer or this user may not give rights; TransientError."""
    from driftloop.adapters.kafka_rights import give_rights, set_quotas

    wanted, principal = wanted_rights(streams, existing), principals(named)
    bounds = wanted_quotas(streams) if with_quotas else ()
    try:
        given = give_rights(to.kafka, wanted, principal)
        if bounds:
            set_quotas(to.kafka, bounds, principal)
    except ConfigurationError as exc:
        raise UserError(str(exc)) from exc
    return GivenRights(given=given, before=len(wanted) - len(given), quotas=bounds)


def acl_lines(wanted: Sequence[BrokerRight], principal: Callable[[str], str]) -> list[str]:
    """As ``kafka-acls`` takes them, one line for each user and resource."""
    operations: dict[tuple[str, str, str], list[str]] = {}
    for right in wanted:
        operations.setdefault((right.user, right.resource, right.name), []).append(right.operation.title().replace("-", ""))
    return [
        "kafka-acls --add"
        + f" --allow-principal {shlex.quote(principal(user))}"
        + "".join(f" --operation {operation}" for operation in found)
        + (" --cluster" if resource == "cluster" else f" --{resource} {name}")
        for (user, resource, name), found in operations.items()
    ]


def quota_lines(wanted: Sequence[Quota], principal: Callable[[str], str]) -> list[str]:
    """As ``kafka-configs`` takes them."""
    return [
        f"kafka-configs --alter --entity-type users --entity-name {shlex.quote(principal(quota.user).removeprefix('User:'))}"
        f" --add-config producer_byte_rate={quota.produce},consumer_byte_rate={quota.consume}"
        for quota in wanted
    ]
