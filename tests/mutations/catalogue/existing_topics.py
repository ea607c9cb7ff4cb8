"""Topics that somebody else writes."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_REQUESTS = "tests/unit/rows/existing/test_requests.py::"

EXISTING_TOPICS = (
    Mutation(
        "an-outage-makes-no-request-guilty",
        "While the request at fault is looked for, one that meets an outage is not taken for it.",
        f"{service('predictor')}/batches.py",
        "        except KNOWN:\n            raise\n",
        "",
        (
            "tests/unit/predictor/test_unforeseen.py::"
            "test_a_schema_registry_that_goes_away_while_the_request_at_fault_is_looked_for_makes_no_other_one_guilty",
        ),
    ),
    Mutation(
        "avro-ends-where-it-ends",
        "A value in Avro with bytes behind its end is refused.",
        f"{LIBRARY}/rows/existing/avro_code.py",
        "if p != len(b): bad(",
        "if p > len(b): bad(",
        (f"{_REQUESTS}test_a_broken_record_costs_its_neighbours_nothing",),
    ),
    Mutation(
        "unknown-schemas-are-remembered",
        "A schema that the registry does not know is not asked for with every record.",
        f"{LIBRARY}/adapters/schema_registry.py",
        "if time.monotonic() - since < UNKNOWN_SECONDS:",
        "if False:",
        ("tests/unit/adapters/test_schema_registry.py::test_an_unknown_id_is_not_asked_for_with_every_record",),
    ),
    Mutation(
        "references-stay-in-their-folder",
        "What a Protobuf schema refers to is written into its own folder.",
        f"{LIBRARY}/rows/existing/protobuf_schema.py",
        'not all(_PART.fullmatch(part) and ".." not in part for part in parts)',
        "False",
        ("tests/unit/rows/existing/test_protobuf.py::test_a_reference_stays_in_its_folder",),
    ),
    Mutation(
        "their-topics-are-not-written",
        "Nobody is given a right to write somebody else's topic.",
        f"{LIBRARY}/contracts/broker_rights.py",
        "*(_KEEPS_TOPICS if not topic.existing else ())",
        "*_KEEPS_TOPICS",
        ("tests/unit/project/test_topic_mappings.py::test_their_topics_are_read_and_nothing_more",),
    ),
)
