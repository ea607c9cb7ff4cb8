"""Guards between a newcomer's file and a loop: nothing guessed, nothing leaked, nothing lost on the way."""

from tests.mutations.mutation import LIBRARY, Mutation

_PROPOSAL, _FILE, _REPLAY = f"{LIBRARY}/proposal", f"{LIBRARY}/datafile", f"{LIBRARY}/replay"
_PROPOSE, _VALUES = "tests/unit/proposal/test_propose.py::", "tests/unit/datafile/test_values.py::"
_STREAM, _STORY = "tests/unit/replay/test_stream.py::", "tests/unit/replay/test_story.py::"

NEWCOMER = (
    Mutation(
        "answer-in-other-words-is-left-out",
        "A column that alone predicts the target is no feature.",
        f"{_PROPOSAL}/leaks.py",
        "    if found is None or found[1] < ALONE:",
        "    if True:",
        (f"{_PROPOSE}test_a_column_is_taken_for_what_its_values_say",),
    ),
    Mutation(
        "known-only-with-the-label",
        "A column that is missing in exactly the rows without a label is no feature.",
        f"{_PROPOSAL}/leaks.py",
        "    if n < MISSING_TOGETHER or column.missing != n:",
        "    if True:",
        (f"{_PROPOSE}test_what_is_missing_in_just_the_rows_without_a_label_is_known_only_with_it",),
    ),
    Mutation(
        "days-and-months-are-not-guessed",
        "Times that can be read in several ways are asked about.",
        f"{_PROPOSAL}/clock.py",
        "    if len(column.ways) > 1:",
        "    if False:",
        (f"{_PROPOSE}test_days_and_months_that_may_be_either_are_asked_for_and_read_as_stated",),
    ),
    Mutation(
        "two-types-are-not-guessed",
        "A column of numbers with something else among them is told and not taken for text.",
        f"{_PROPOSAL}/facts.py",
        "    return _two_types(name, text) or _other_numbers(name, text)",
        "    return _other_numbers(name, text)",
        (f"{_PROPOSE}test_what_cannot_be_told_is_a_sentence_with_what_to_do",),
    ),
    Mutation(
        "csv-is-text-until-declared",
        "What a CSV's values look like does not decide what they are: a code keeps its zeros.",
        f"{_FILE}/reading.py",
        "    return pa_csv.read_csv(path, parse_options=parsing, convert_options=types)",
        "    return pa_csv.read_csv(path, parse_options=parsing)",
        (f"{_VALUES}test_a_column_of_a_csv_is_what_is_declared_whatever_its_rows_look_like",),
    ),
    Mutation(
        "label-never-before-its-row",
        "No label is replayed before its row.",
        f"{_REPLAY}/stream.py",
        'later = pc.if_else(pc.greater(stated, table.column("event_time")), stated, table.column("event_time"))',
        "later = stated",
        (f"{_STREAM}test_a_label_comes_when_the_file_says_else_just_before_its_window_closes_and_never_before_its_row",),
    ),
    Mutation(
        "no-gap-between-stretches",
        "Labels that become known while no row happens are sent, too.",
        f"{_REPLAY}/story.py",
        "    return [(before.end, window) for",
        "    return [(window.start, window) for",
        (f"{_STORY}test_stretches_leave_no_gap_where_a_window_has_no_rows",),
    ),
    Mutation(
        "replayed-rows-are-sent-once",
        "What the lake holds is not sent again.",
        f"{_REPLAY}/stream.py",
        'pc.invert(pc.is_in(table.column("event_id"), value_set=ids))',
        'pc.is_valid(table.column("event_id"))',
        (f"{_STREAM}test_what_the_lake_holds_is_not_sent_again_and_each_row_is_accounted_for",),
    ),
)
