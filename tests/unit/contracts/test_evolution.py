"""Within a version a stream's schema only gains optional features; a new version is declared for anything else."""

import msgspec
import pytest

from driftloop.contracts.evolution import clashes, refusal, unscorable
from driftloop.contracts.schema import Feature, StreamSchema, Target

AMOUNT, KIND = Feature(name="amount", type="number"), Feature(name="kind", type="category")
NOTE = Feature(name="note", type="category", required=False)
DUE = Feature(name="due", type="datetime", required=False, parts=("hour", "weekday"))
LATE = Target(name="late", type="boolean")


def schema(*features: Feature, version: int = 1, target: Target = LATE, stream: str = "shop") -> StreamSchema:
    return StreamSchema(stream=stream, features=features, target=target, version=version)


BEFORE = schema(AMOUNT, KIND)


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        schema(KIND, AMOUNT),
        schema(AMOUNT, KIND, NOTE),
        schema(AMOUNT, KIND, DUE),
        schema(AMOUNT, msgspec.structs.replace(KIND, required=False)),
        schema(NOTE, version=2),
        schema(msgspec.structs.replace(AMOUNT, type="category"), version=3),
        schema(NOTE, stream="other", target=Target(name="x", type="number")),
    ],
)
def test_what_old_producers_and_old_models_can_live_with_is_accepted(after: StreamSchema) -> None:
    assert refusal(BEFORE, after) is None


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (schema(AMOUNT), "feature 'kind' was removed"),
        (schema(AMOUNT, KIND, msgspec.structs.replace(NOTE, required=True)), "'note' is new and required.*required = false"),
        (schema(msgspec.structs.replace(AMOUNT, type="category"), KIND), "'amount' was a number and became a category"),
        (schema(msgspec.structs.replace(AMOUNT, type="integer"), KIND), "'amount' was a number and became a whole number"),
        (schema(AMOUNT, msgspec.structs.replace(KIND, type="datetime")), "'kind' was a category and became a time"),
        (schema(AMOUNT, KIND, target=Target(name="late", type="number")), "target of stream shop.*another stream.name"),
        (schema(AMOUNT, KIND, target=Target(name="early", type="boolean"), version=2), "target of stream shop"),
    ],
)
def test_what_they_cannot_is_refused_with_what_and_how_to_go_on(after: StreamSchema, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(refusal(BEFORE, after))
    if after.target == LATE:
        assert "version = 2" in (refusal(BEFORE, after) or "")


def test_an_optional_feature_does_not_become_required() -> None:
    assert "became required" in (refusal(schema(NOTE), schema(msgspec.structs.replace(NOTE, required=True))) or "")


def test_versions_do_not_go_back() -> None:
    assert "cannot go back" in (refusal(schema(AMOUNT, version=2), BEFORE) or "")


def test_the_first_version_has_the_fingerprint_that_it_always_had() -> None:
    assert BEFORE.fingerprint() == "c10306191b2393e2002201566c20d8fed67dd48149b9f40818c4295dd0777fb3"
    assert schema(AMOUNT, KIND, version=2).fingerprint() != BEFORE.fingerprint()
    assert msgspec.json.decode(msgspec.json.encode(schema(AMOUNT, version=2)), type=StreamSchema).version == 2


def test_parts_of_a_time_are_in_the_fingerprint_and_their_absence_is_not() -> None:
    plain = Feature(name="amount", type="number")
    assert b"parts" not in msgspec.json.encode(plain)
    schemas = [schema(msgspec.structs.replace(DUE, parts=parts)) for parts in (msgspec.UNSET, ("hour",), ("hour", "weekday"))]
    assert len({each.fingerprint() for each in schemas}) == 3
    assert [msgspec.json.decode(msgspec.json.encode(each), type=StreamSchema) for each in schemas] == schemas


def test_a_model_may_be_given_other_parts_of_a_time_than_the_one_before() -> None:
    hours, days = (schema(msgspec.structs.replace(DUE, parts=(part,))) for part in ("hour", "day"))
    assert refusal(hours, days) is None
    assert unscorable(hours, days) is None  # it takes its own parts of the same time


def test_a_model_scores_rows_that_have_all_its_features() -> None:
    assert unscorable(BEFORE, schema(KIND, NOTE, AMOUNT)) is None
    assert "'kind' is no longer sent" in (unscorable(BEFORE, schema(AMOUNT)) or "")
    assert "'kind' was a category and is a number now" in (
        unscorable(BEFORE, schema(AMOUNT, msgspec.structs.replace(KIND, type="number"))) or ""
    )
    assert unscorable(BEFORE, schema(AMOUNT, KIND, stream="other")) is not None


@pytest.mark.parametrize(
    ("name", "clash"),
    [
        *(("a__number", True), ("a__category", True), ("a__datetime", True), ("probabilities__map", True)),
        *(("a__b", False), ("a__map", False), ("__number", False), ("a_number", False)),
    ],
)
def test_names_that_the_lake_gives_to_retyped_features_are_taken(name: str, clash: bool) -> None:
    assert clashes(name) == clash
