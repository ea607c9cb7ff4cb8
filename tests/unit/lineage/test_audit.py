"""Which versions an audit takes."""

from datetime import UTC, datetime

from tests.unit.registry.commands import digest, pins

from driftloop.lineage.audit import chosen, event_id
from driftloop.registry.state import ApprovalStatus, ModelState, ModelVersion

AT = datetime(2026, 5, 1, tzinfo=UTC)


def model(versions: int, deleted: int | None = None) -> ModelState:
    made = tuple(
        ModelVersion(model="m", version=n, request_id=f"r{n}", manifest=digest(f"m{n}"), pins=pins(0), registered_at=AT)
        for n in range(1, versions + 1)
    )
    gone = {} if deleted is None else {deleted: ApprovalStatus(model="m", version=deleted, state="deleted", since=AT, by="a", reason="b")}
    return ModelState(model="m", versions=made, standings=gone)


def numbers(audit: str, count: int, of: ModelState) -> list[int]:
    return [version.version for version in chosen(of, count, audit)]


def test_the_same_audit_takes_the_same_versions_and_another_one_others():
    assert numbers("a", 3, model(20)) == numbers("a", 3, model(20))
    assert len({tuple(numbers(str(n), 3, model(20))) for n in range(10)}) > 5


def test_no_more_than_there_are_and_never_a_deleted_one():
    assert numbers("a", 9, model(4)) == [1, 2, 3, 4]
    assert numbers("a", 9, model(4, deleted=2)) == [1, 3, 4]


def test_an_audit_has_one_record_per_version():
    assert event_id("a", "m", 1) == event_id("a", "m", 1)
    assert len({event_id(audit, "m", version) for audit in "ab" for version in (1, 2)}) == 4
