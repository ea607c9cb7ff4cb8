"""The join of requests with answers that are on a topic of their own: what is in hand never depends on how it was read."""

from hypothesis import given
from hypothesis import strategies as st

from driftloop.ports import TopicPartition
from driftloop.rows.answers import Answer
from driftloop_predictor.answer_book import IDLE_MS, TRUSTED_FROM, AnswerBook, OldestRequests, reached_by

PATIENCE = 1000
T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


def answer(p: float = 0.5) -> Answer:
    return Answer(True, p, "a")


def book(partitions: int = 1) -> AnswerBook:
    made = AnswerBook(PATIENCE)
    made.begin(partitions, 0)
    return made


def test_a_request_is_settled_by_its_answer_at_once() -> None:
    made = book()
    assert not made.settled("e1", 500)
    made.take("e1", answer(), 600)
    assert made.settled("e1", 500)
    assert made.get("e1") == answer()


def test_a_request_is_given_up_when_every_partition_was_read_past_its_patience() -> None:
    made = book(partitions=2)
    made.read_to(0, 1501)
    assert not made.settled("e1", 500)
    made.read_to(1, 1500)
    assert not made.settled("e1", 500)  # an answer of that very moment counts
    made.read_to(1, 1501)
    assert made.settled("e1", 500)


def test_what_was_read_never_becomes_less() -> None:
    made = book()
    made.read_to(0, 2000)
    made.read_to(0, 100)
    assert made.settled("e1", 500)


def test_the_first_answer_stands() -> None:
    made = book()
    made.take("e1", answer(0.1), 10)
    made.take("e1", answer(0.9), 11)
    assert made.get("e1") == answer(0.1)


def test_an_answer_is_kept_for_as_long_as_a_request_may_come_for_it() -> None:
    made = book()
    made.take("e1", answer(), 1000)
    made.forget_before(2000)
    assert made.get("e1") is not None
    made.forget_before(2001)
    assert (made.get("e1"), len(made)) == (None, 0)


def test_beginning_anew_forgets_what_was_read() -> None:
    made = book()
    made.take("e1", answer(), 1000)
    made.read_to(0, 5000)
    made.begin(1, 0)
    assert not made.settled("e1", 500)


events = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5000), st.one_of(st.none(), st.integers(-1500, 3000))), max_size=30)


@given(events, st.randoms(use_true_random=False), st.integers(1, 3))
def test_every_request_gets_its_answer_if_there_is_one_in_time_however_the_partitions_are_read(
    requests: list[tuple[int, int, int | None]], random: object, partitions: int
) -> None:
    """Requests in order of time, answers in order of time in each partition, read in any interleaving: the outcome is that of a join
    of all that was ever sent."""
    asked = {f"e{n}": ms for n, (_, ms, _) in enumerate(requests)}
    sent = [(max(0, ms + delay), n % partitions, f"e{n}") for n, (_, ms, delay) in enumerate(requests) if delay is not None]
    logs = [sorted(each for each in sent if each[1] == p) for p in range(partitions)]
    made, left = book(partitions), dict(sorted(asked.items(), key=lambda each: each[1]))
    outcome: dict[str, bool] = {}
    at = [0] * partitions
    while left:
        made.forget_before(min(left.values()))
        unread = [p for p in range(partitions) if at[p] < len(logs[p])]
        if unread and random.random() < 0.7:  # type: ignore[attr-defined]
            p = random.choice(unread)  # type: ignore[attr-defined]
            ms, _, event_id = logs[p][at[p]]
            made.take(event_id, answer(), ms)
            made.read_to(p, ms)
            at[p] += 1
        else:
            for p in range(partitions):
                if at[p] == len(logs[p]):
                    made.read_to(p, 10**6)  # its end, as of a later moment
        for event_id, ms in list(left.items()):
            if not made.settled(event_id, ms):
                break  # requests are accounted for in order
            outcome[event_id] = made.get(event_id) is not None
            del left[event_id]
    in_time = {event_id: ms for ms, _, event_id in sent}
    for event_id, ms in asked.items():
        answered = event_id in in_time and ms - PATIENCE <= in_time[event_id] <= ms + PATIENCE
        if answered:
            assert outcome[event_id]
        elif event_id not in in_time:
            assert not outcome[event_id]


def test_the_oldest_request_is_the_one_in_hand_or_the_next_to_come() -> None:
    oldest = OldestRequests()
    assert oldest.oldest({}, 0) is None
    oldest.own(T0, 100, 1000)
    oldest.own(T1, None, 1000)
    assert oldest.oldest({}, 1000) == 100
    oldest.took(T0, 900, 1000)
    assert oldest.oldest({T0: 300}, 1000) == 300
    assert oldest.oldest({}, 1000) == 900
    oldest.disown(T0)
    assert oldest.oldest({}, 1000) == 1000


def test_a_partition_that_brings_nothing_holds_back_for_a_while_only() -> None:
    oldest = OldestRequests()
    oldest.own(T0, 100, 1000)
    assert oldest.oldest({}, 1000 + IDLE_MS - 1) == 100
    assert oldest.oldest({}, 5000 + IDLE_MS) == 5000


def test_a_clock_that_is_ahead_moves_nothing() -> None:
    assert reached_by([1] * (TRUSTED_FROM - 1)) is None
    times = list(range(TRUSTED_FROM))
    assert reached_by(times) == TRUSTED_FROM // 10
    assert reached_by([*times, *[10**9] * 80]) == (TRUSTED_FROM + 80) // 10
