"""Guards of what applications send with the library's own producer."""

from tests.mutations.mutation import LIBRARY, Mutation

_PRODUCING = f"{LIBRARY}/producing"
_PRODUCER, _DELIVERY = "tests/unit/producing/test_producer.py::", "tests/unit/producing/test_delivery.py::"

APPLICATIONS: tuple[Mutation, ...] = (
    Mutation(
        "nan-is-not-sent-as-missing",
        "A NaN of an application is refused; JSON would make null of it without a word.",
        f"{_PRODUCING}/row_values.py",
        "if not math.isfinite(value):",
        "if False:",
        (f"{_PRODUCER}TestRow::test_what_is_wrong_is_a_sentence_and_nothing_leaves",),
    ),
    Mutation(
        "a-promise-waits-for-what-it-promises",
        "A watermark is sent only when the broker has answered for all rows and labels before it.",
        f"{_PRODUCING}/producer.py",
        "if not self._in_flight.wait(self._flush_seconds):",
        "if False:",
        (f"{_PRODUCER}TestWatermark::test_none_is_sent_while_rows_wait",),
    ),
    Mutation(
        "what-is-given-up-is-told",
        "What the broker has not answered for when a producer is closed counts as failed.",
        f"{_PRODUCING}/producer.py",
        "        in_flight.give_up(",
        "        str(",
        (
            f"{_DELIVERY}TestReport::test_it_says_of_every_row_what_became_of_it",
            f"{_DELIVERY}TestReport::test_one_that_is_left_open_loses_nothing_without_a_word",
        ),
    ),
    Mutation(
        "an-application-waits-for-room",
        "No more waits for the broker than the application allows.",
        f"{_PRODUCING}/in_flight.py",
        "        return len(self._underway) + messages <= self._most_messages and self._bytes + size <= self._most_bytes",
        "        return True",
        (f"{_DELIVERY}TestRoom::test_and_says_when_there_is_none_in_time",),
    ),
    Mutation(
        "an-entity-has-one-partition",
        "Rows of a batch go to the partition of their entity.",
        f"{_PRODUCING}/tables.py",
        "rows.take(np.flatnonzero(of_rows == partition))",
        "rows.take(np.flatnonzero(of_rows[::-1] == partition))",
        (f"{_PRODUCER}TestBatch::test_rows_of_an_entity_are_in_its_partition_in_their_order",),
    ),
)
