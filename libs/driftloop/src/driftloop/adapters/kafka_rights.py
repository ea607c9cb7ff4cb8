"""Rights, quotas and SCRAM users on the broker, by its admin interface."""

from collections.abc import Callable, Iterable, Mapping

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    UserScramCredentialUpsertion,
)
from kafka.admin import ResourceType as Kind
from kafka.errors import SecurityDisabledError, for_code
from kafka.protocol.admin import AlterClientQuotasRequest

from driftloop.adapters.kafka_admin import administered
from driftloop.adapters.kafka_security import Cluster
from driftloop.contracts.broker_rights import BrokerRight, Quota
from driftloop.errors import ConfigurationError

MECHANISM = "SCRAM-SHA-512"

Principal = Callable[[str], str]  # of a user of the table, such as User:ingest

_EVERY = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, ResourcePatternFilter(Kind.ANY, None, ACLResourcePatternType.ANY))


def give_rights(where: str | Cluster, wanted: Iterable[BrokerRight], principal: Principal) -> tuple[BrokerRight, ...]:
    """Those that were missing, and are there now. Raises ConfigurationError when the broker has no authorizer, or this user may not."""
    with administered(where, "giving rights") as admin:
        try:
            present, _ = admin.describe_acls(_EVERY)
        except SecurityDisabledError as exc:
            raise ConfigurationError(
                "the broker has no authorizer, so everybody may do everything: set authorizer.class.name to "
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer on it"
            ) from exc
        by_acl = {_acl(right, principal): right for right in wanted}
        missing = [acl for acl in by_acl if acl not in set(present)]
        if missing:
            refused = admin.create_acls(missing)["failed"]
            if refused:
                raise refused[0]()
    return tuple(by_acl[acl] for acl in missing)


def set_quotas(where: str | Cluster, wanted: Iterable[Quota], principal: Principal) -> None:
    """Of each user; what was set before is replaced. Raises ConfigurationError when this user may not."""
    entries = [_quota_entry(quota, principal(quota.user).removeprefix("User:")) for quota in wanted]
    with administered(where, "setting quotas") as admin:
        request = AlterClientQuotasRequest(entries=entries, validate_only=False)
        answer = admin._manager.run(admin._manager.send, request)
        for entry in answer.entries:
            if entry.error_code:
                raise for_code(entry.error_code)(entry.error_message)


def set_passwords(where: str | Cluster, passwords: Mapping[str, str]) -> None:
    """Make SCRAM users, or give them these passwords. Connections that are open stay."""
    with administered(where, "making users") as admin:
        answers = admin.alter_user_scram_credentials([UserScramCredentialUpsertion(*each) for each in _credentials(passwords)])
        for user, failed in answers.items():
            if failed:
                raise ConfigurationError(f"making user {user}: {failed}")


def _credentials(passwords: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(user, MECHANISM, password) for user, password in passwords.items()]


def _acl(right: BrokerRight, principal: Principal) -> ACL:
    pattern = ResourcePattern(Kind[right.resource.upper()], right.name, ACLResourcePatternType.LITERAL)
    operation = ACLOperation[right.operation.replace("-", "_").upper()]
    return ACL(principal(right.user), "*", operation, ACLPermissionType.ALLOW, pattern)


def _quota_entry(quota: Quota, user: str) -> object:
    entry = AlterClientQuotasRequest.EntryData
    return entry(
        entity=[entry.EntityData(entity_type="user", entity_name=user)],
        ops=[
            entry.OpData(key="producer_byte_rate", value=float(quota.produce), remove=False),
            entry.OpData(key="consumer_byte_rate", value=float(quota.consume), remove=False),
        ],
    )
