"""Guards where bytes and names of strangers come in."""

from tests.mutations.mutation import LIBRARY, Mutation

_HEADERS, _QUARANTINE = "tests/unit/contracts/test_header_values.py::", "tests/unit/service/test_quarantined_messages.py::"

STRANGERS = (
    Mutation(
        "decompression-is-bounded",
        "What an Arrow message would decode to is added up before anything is decompressed.",
        f"{LIBRARY}/rows/arrow_stream.py",
        "            if total > MAX_DECODED_BYTES:",
        "            if False:",
        ("tests/unit/rows/test_arrow_stream.py::test_a_decompression_bomb_is_refused_before_it_is_decompressed",),
    ),
    Mutation(
        "nulls-where-none-may-be",
        "A null in a column that has none is refused.",
        f"{LIBRARY}/rows/arrow_stream.py",
        "not field.nullable and column.null_count",
        "False",
        ("tests/unit/ingest/test_intake.py::test_an_arrow_batch_with_one_bad_row_is_rejected_whole",),
    ),
    Mutation(
        "numbers-are-finite",
        "NaN and infinity in an Arrow message are refused.",
        f"{LIBRARY}/rows/limits.py",
        "not pc.all(pc.is_finite(column), min_count=0).as_py()",
        "False",
        ("tests/unit/rows/test_requests.py::test_an_arrow_batch_with_one_bad_row_is_refused_as_a_whole",),
    ),
    Mutation(
        "ids-are-bounded",
        "An event id has 512 bytes at most.",
        f"{LIBRARY}/rows/limits.py",
        "size > MAX_ID_BYTES",
        "False",
        ("tests/unit/rows/test_decoders.py::test_all_readers_of_inferences_refuse_the_same",),
    ),
    Mutation(
        "range-is-of-its-own-partition",
        "A message accounts for requests of its own partition only.",
        f"{LIBRARY}/rows/inferences.py",
        "    if claimed.partition != record.partition:",
        "    if False:",
        ("tests/unit/ingest/test_intake.py::test_a_range_that_cannot_be_true_is_rejected",),
    ),
    Mutation(
        "last-header-counts",
        "Of several headers of one name the last counts.",
        f"{LIBRARY}/contracts/headers.py",
        "in reversed(headers):",
        "in headers:",
        (f"{_HEADERS}test_the_last_of_several_headers_of_a_name_counts",),
    ),
    Mutation(
        "times-have-an-offset",
        "A time without an offset is refused and not taken for local time.",
        f"{LIBRARY}/contracts/headers.py",
        "    if time.tzinfo is None:",
        "    if False:",
        (f"{_HEADERS}test_a_time_without_an_offset_is_refused_and_not_taken_for_local_time",),
    ),
    Mutation(
        "names-end-without-a-newline",
        "A name that ends with a newline is none, also in a message.",
        f"{LIBRARY}/contracts/names.py",
        'NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$(?!\\n)"',
        'NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"',
        ("tests/unit/contracts/test_names.py::test_what_is_no_name_is_none_in_code_and_in_messages",),
    ),
    Mutation(
        "names-hold-no-path",
        "A name holds neither dots nor slashes.",
        f"{LIBRARY}/contracts/names.py",
        'NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$(?!\\n)"',
        'NAME_PATTERN = r"^[a-z0-9.][a-z0-9./-]{0,62}$(?!\\n)"',
        (
            "tests/unit/contracts/test_names.py::test_what_is_no_name_is_none_in_code_and_in_messages",
            "tests/unit/registry/test_fold.py::test_hostile_model_name_is_refused",
            "tests/unit/artifact/test_model_files.py::test_a_path_cannot_be_smuggled_in",
        ),
    ),
    Mutation(
        "quarantine-takes-empty-messages",
        "A message with neither key nor value can be quarantined.",
        f"{LIBRARY}/service/quarantine.py",
        "if value is None and record.key is None:",
        "if False:",
        (f"{_QUARANTINE}test_a_message_with_neither_key_nor_value_is_sent_as_one_that_kafka_takes",),
    ),
    Mutation(
        "quarantine-keeps-headers",
        "A quarantined message keeps its own headers.",
        f"{LIBRARY}/service/quarantine.py",
        "return (*record.headers, *_ours(record, reason))",
        "return _ours(record, reason)",
        (f"{_QUARANTINE}test_bytes_key_and_headers_come_back_as_they_were",),
    ),
    Mutation(
        "reasons-are-bounded",
        "The reason of a rejection leaves room for the message.",
        f"{LIBRARY}/service/quarantine.py",
        "reason[:MAX_REASON_CHARACTERS]",
        "reason",
        (f"{_QUARANTINE}test_a_reason_of_any_length_and_letters_leaves_room_for_the_message",),
    ),
)
