"""Guards of a model that is served elsewhere: who answers, whose answer it is, and what has none."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_PREDICTOR = service("predictor")
_FOLD, _WATCHING = "tests/unit/registry/test_watching.py::", "tests/unit/predictor/test_watching.py::"
_BOOK = "tests/unit/predictor/test_answer_book.py::"

WATCHING = (
    Mutation(
        "taking-over-waits-for-a-person",
        "While another system answers, the gate's yes makes nobody champion.",
        f"{LIBRARY}/registry/promotion.py",
        'if rules.approval == "person" or model.answered_elsewhere:',
        'if rules.approval == "person":',
        (
            f"{_FOLD}test_a_version_of_ours_waits_for_a_person_before_it_takes_over_and_the_answering_can_be_given_back",
            f"{_FOLD}test_a_first_version_of_ours_does_not_take_over_by_itself",
        ),
    ),
    Mutation(
        "watched-only-where-the-project-says-so",
        "A model that driftloop serves gets no version by an event.",
        f"{LIBRARY}/registry/watching.py",
        "if model.project is None or model.project.served_by is msgspec.UNSET:",
        "if model.project is None:",
        (f"{_FOLD}test_a_project_that_driftloop_serves_has_no_such_versions",),
    ),
    Mutation(
        "ours-answers-on",
        "A new version of the other system changes nothing while one of ours answers.",
        f"{LIBRARY}/registry/watching.py",
        "answers = champion is None or (champion.watched is not msgspec.UNSET and",
        "answers = champion is None or (",
        (f"{_FOLD}test_a_version_of_ours_waits_for_a_person_before_it_takes_over_and_the_answering_can_be_given_back",),
    ),
    Mutation(
        "names-have-an-end",
        "Records that each name a version of their own do not fill the log.",
        f"{LIBRARY}/registry/watching.py",
        "if known is None and len(model.watched_versions()) >= MOST_WATCHED:",
        "if False:",
        (f"{_FOLD}test_names_without_end_are_refused",),
    ),
    Mutation(
        "rows-wait-for-their-version",
        "A row whose version has no number yet is not recorded without one.",
        f"{_PREDICTOR}/watching.py",
        "        if unknown and not self.full:\n            raise UnknownVersions(unknown)\n        return [",
        "        return [",
        (f"{_WATCHING}test_rows_of_an_unknown_version_wait_until_it_has_a_number",),
    ),
    Mutation(
        "a-request-waits-for-every-partition",
        "A request is given up only when every partition of the answers has been read past its patience.",
        f"{_PREDICTOR}/answer_book.py",
        "min(self._read_to.values(), default=asked_ms) > asked_ms + self._patience",
        "max(self._read_to.values(), default=asked_ms) > asked_ms + self._patience",
        (f"{_BOOK}test_a_request_is_given_up_when_every_partition_was_read_past_its_patience",),
    ),
    Mutation(
        "answers-are-kept-for-their-requests",
        "An answer that came before its request is there when the request comes.",
        f"{_PREDICTOR}/answer_book.py",
        "self._order[0][0] < time_ms - self._patience:",
        "self._order[0][0] < time_ms:",
        (f"{_BOOK}test_an_answer_is_kept_for_as_long_as_a_request_may_come_for_it",),
    ),
    Mutation(
        "waiting-requests-are-not-given-up-at-the-end",
        "A process that ends leaves requests that wait for their answer to the next one.",
        f"{_PREDICTOR}/awaited_answers.py",
        "if topic is None or topic.ready(tp, buffer.first())",
        "if True",
        (
            f"{_WATCHING}test_what_waits_for_an_answer_is_not_given_up_at_the_end_of_the_process",
            f"{_WATCHING}test_a_request_waits_for_its_answer_on_the_other_topic_and_no_longer_than_it_may",
        ),
    ),
    Mutation(
        "scores-of-one-version-alone",
        "Scores are compared only with those of the same version.",
        f"{LIBRARY}/artifact/watched_profile.py",
        "if reference.served_as == watched.served_as:",
        "if True:",
        ("tests/unit/artifact/test_watched_profile.py::test_a_later_version_is_not_compared_with_the_scores_of_another",),
    ),
    Mutation(
        "recorded-answers-of-the-champion-alone",
        "A candidate is measured against what the champion answered, and not against what others did.",
        f"{LIBRARY}/training/recorded_champion.py",
        'answered: Mask = pc.and_(by, rows.column("score").is_valid())',
        'answered: Mask = pc.and_(True, rows.column("score").is_valid())',
        ("tests/unit/training/test_recorded_champion.py::test_only_what_the_champion_answered_is_read",),
    ),
)
