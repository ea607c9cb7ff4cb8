"""Guards of shadow: whom a challenger is compared with, and that each row is answered for once."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_SHADOW, _REGISTRY = f"{service('ingest')}/shadow", service("registry")
_INTAKE, _RUNS = "tests/unit/ingest/test_shadow_intake.py::", "tests/unit/registry/test_candidates_in_shadow.py::"
_EVIDENCE = "tests/unit/registry/test_shadow_evidence.py::"
_REPORTS = "tests/unit/monitoring/test_challengers.py::"

SHADOW = (
    Mutation(
        "champion-s-move-ends-a-challenger",
        "A challenger is one beside a champion: a move of the champion ends it.",
        f"{LIBRARY}/registry/state.py",
        "return alias if next((name for name in moves if name in (CHAMPION, CHALLENGER)), None) == CHALLENGER else None",
        "return alias",
        ("tests/unit/registry/test_challenger.py::test_a_challenger_is_one_until_the_champion_moves_or_is_itself_named",),
    ),
    Mutation(
        "shadow-rows-are-trimmed",
        "Requests that a challenger has answered for are trimmed from a message.",
        f"{_SHADOW}/intake.py",
        "if rows is not None and start > claimed.start:",
        "if False:",
        (f"{_INTAKE}test_whatever_overlaps_and_gaps_arrive_and_whenever_it_is_cut_no_request_is_answered_for_twice",),
    ),
    Mutation(
        "challenger-begins-when-it-is-named",
        "A challenger is not asked about messages that the broker had before it was one.",
        f"{_SHADOW}/intake.py",
        "if record.timestamp_ms < challenger.since_ms:",
        "if False:",
        (f"{_INTAKE}test_a_message_that_it_is_not_asked_about_is_passed_over_and_counted",),
    ),
    Mutation(
        "shadow-lag-is-bounded",
        "A challenger that is slower than the stream leaves out what is too old.",
        f"{_SHADOW}/intake.py",
        "> self._max_lag_ms:",
        "> float('inf'):",
        (f"{_INTAKE}test_a_message_that_it_is_not_asked_about_is_passed_over_and_counted",),
    ),
    Mutation(
        "forged-ranges-are-not-answered-for",
        "A range of requests that are not there yet does not make those seem answered for.",
        f"{_SHADOW}/intake.py",
        "                self._requests.check_end(claimed)\n",
        "                pass\n",
        (f"{_INTAKE}test_a_message_that_it_is_not_asked_about_is_passed_over_and_counted",),
    ),
    Mutation(
        "bad-challenger-is-not-asked-for-all-the-time",
        "A version that cannot be loaded is tried again after a while, and not with every message.",
        f"{_SHADOW}/challengers.py",
        "self._refused = manifest, self._monotonic() + REFUSED_SECONDS",
        "self._refused = None",
        ("tests/unit/ingest/test_challengers.py::test_one_whose_bytes_are_others_answers_nothing_until_they_are_mended",),
    ),
    Mutation(
        "only-the-newest-run-becomes-challenger",
        "A run that is told late does not take a newer one's place.",
        f"{_REGISTRY}/challengers.py",
        "outdated = version.version != len(model.versions) or event",
        "outdated = event",
        (f"{_RUNS}test_late_news_of_an_older_run_names_nobody",),
    ),
    Mutation(
        "person-s-end-of-a-challenger-stands",
        "A run that is told again does not name its version again.",
        f"{_REGISTRY}/challengers.py",
        " or state.outcome(command_id) is not None:",
        ":",
        (f"{_RUNS}test_repeat_of_a_run_names_nobody_anew",),
    ),
    Mutation(
        "evidence-is-of-challenger-and-champion-of-now",
        "What two versions came to that are no longer challenger and champion decides nothing.",
        f"{_REGISTRY}/shadow_evidence.py",
        "if _is_about_now(model, event) else None",
        "if True else None",
        (f"{_EVIDENCE}test_evidence_of_two_who_are_no_longer_challenger_and_champion_decides_nothing",),
    ),
    Mutation(
        "window-is-one-question-to-the-gate",
        "Labels that land later do not ask the gate about a window again.",
        f"{_REGISTRY}/shadow_evidence.py",
        "outcome = state.outcome(command_id)",
        "outcome = None",
        (f"{_EVIDENCE}test_window_is_one_question_however_often_it_is_told_and_whatever_is_measured_then",),
    ),
    Mutation(
        "shadow-evidence-does-not-pass-by-guard-rails",
        "A project whose guard rails answers do not measure gets a no.",
        f"{_REGISTRY}/shadow_evidence.py",
        "outcome = _left_to_a_person(model.project.promotion, version) or self._asked",
        "outcome = self._asked",
        (f"{_EVIDENCE}test_guard_rail_that_answers_do_not_measure_leaves_it_to_a_person",),
    ),
    Mutation(
        "only-rows-that-both-answered-are-compared",
        "Rows that the challenger could not answer are no disagreement and no loss.",
        f"{LIBRARY}/monitoring/challengers.py",
        'return asked.filter(pc.and_(asked.column("score").is_valid(), asked.column(f"{OF_CHAMPION}score").is_valid()))',
        "return asked",
        (f"{_REPORTS}test_rows_that_either_could_not_answer_are_no_comparison",),
    ),
    Mutation(
        "what-a-challenger-answered-is-news",
        "A report that says something new of a challenger is told again.",
        f"{LIBRARY}/monitoring/performance.py",
        '"answer", "challengers", "canary")',
        '"answer", "canary")',
        (f"{_REPORTS}test_report_tells_of_challengers_and_what_the_window_means_names_them",),
    ),
)
