"""Guards of training: what a model may see, what is checked of it, and what its process may do."""

from tests.mutations.mutation import LIBRARY, Mutation

_TRAINING = f"{LIBRARY}/training"
_CHILD, _HELD_OUT = "tests/unit/training/test_child.py::", "tests/unit/training/test_held_out.py::"
_FITS = "tests/unit/training/test_recipe_fits.py::"

TRAINING = (
    Mutation(
        "held-out-rows-are-never-fitted",
        "Rows of held-out keys are never fitted.",
        f"{_TRAINING}/fit.py",
        "fitted_on = mask & ~rows.held_out",
        "fitted_on = mask",
        (
            f"{_HELD_OUT}test_a_fit_sees_all_masked_rows_but_those_held_out",
            f"{_HELD_OUT}test_the_stored_model_remembers_no_row_of_a_held_out_key",
        ),
    ),
    Mutation(
        "judged-window-is-never-fitted",
        "Candidates are fitted on what came before the window that they are judged on.",
        f"{_TRAINING}/comparison.py",
        "window.end if within else window.start, within=within)",
        "window.end, within=within)",
        (f"{_CHILD}test_candidates_do_not_see_the_window_that_they_are_judged_on",),
    ),
    Mutation(
        "a-window-is-not-judged-by-the-keys-that-were-fitted-within-it",
        "What is fitted within the judged window is fitted on half of its split keys, and judged on others.",
        f"{_TRAINING}/recipe_fits.py",
        "return mask & (self._rows.quarter % 2 == 0) if within else mask",
        "return mask",
        ("tests/unit/backtest/test_fits.py::test_within_a_window_half_of_its_keys_are_fitted_and_all_of_its_rows_answered",),
    ),
    Mutation(
        "what-a-window-of-age-costs-is-taken-off",
        "A recipe that is only ever better within a window, and no more a window later, does not win.",
        f"{_TRAINING}/choosing.py",
        "gain - max(0.0, cost_of_age(expected))",
        "gain",
        (
            "tests/unit/training/test_choosing.py::test_where_the_same_gain_was_gone_a_window_later_each_time_it_is_not",
            "tests/unit/training/test_choosing.py::test_the_first_run_takes_its_own_rows_for_how_a_recipe_ages",
        ),
    ),
    Mutation(
        "what-nobody-could-judge-is-not-taken",
        "What was fitted within the window goes on only if enough rows can judge it that the champion was not fitted on.",
        f"{_TRAINING}/choosing.py",
        "judges = rows.judges & self._unseen",
        "judges = rows.judges",
        (
            "tests/unit/training/test_choosing.py::test_what_too_few_rows_would_judge_is_not_taken",
            "tests/unit/training/test_comparison.py::test_after_a_change_the_newest_window_is_judged_by_keys_that_it_was_not_fitted_on",
        ),
    ),
    Mutation(
        "a-window-that-is-judged-again-counts-once",
        "How a recipe ages is known from runs on windows that were over when this run's began.",
        f"{_TRAINING}/earlier_runs.py",
        "its.end <= own.start",
        "its.end <= own.end",
        ("tests/unit/training/test_earlier_runs.py::test_a_window_that_is_judged_again_does_not_count_twice",),
    ),
    Mutation(
        "recipes-share-the-fits-of-their-members",
        "What several recipes of a run are made of is fitted once.",
        f"{_TRAINING}/recipe_fits.py",
        "        if key not in self._fitted:\n",
        "        if True:\n",
        (f"{_FITS}test_a_member_of_several_recipes_is_fitted_once",),
    ),
    Mutation(
        "weights-are-never-dropped",
        "A recipe with weights is not fitted without them where the estimator takes none.",
        f"{_TRAINING}/sample_weights.py",
        "        inner = weights_parameter(wrapped, recipe)\n",
        "        inner = _PARAMETER\n",
        ("tests/unit/training/test_sample_weights.py::test_an_estimator_that_takes_none_is_named",),
    ),
    Mutation(
        "no-model-knows-the-time-to-come",
        "A row that is newer than the training data is scored as of the end of it.",
        f"{LIBRARY}/artifact/composition.py",
        "np.minimum(X[EVENT_TIME].to_numpy(), self.last_time)",
        "X[EVENT_TIME].to_numpy()",
        ("tests/unit/artifact/test_composition.py::test_a_row_of_the_future_is_scored_as_of_the_last_training_time",),
    ),
    Mutation(
        "stored-model-scores-as-the-fitted-one",
        "A model that scores otherwise once it is stored becomes no version.",
        f"{_TRAINING}/run.py",
        "        if not same:\n",
        "        if False:\n",
        ("tests/unit/training/test_stored_model.py::test_a_model_that_scores_otherwise_once_it_is_stored_is_refused",),
    ),
    Mutation(
        "scores-are-sane",
        "A model that gives every row one score becomes no version.",
        f"{_TRAINING}/run.py",
        "        check_sanity(np.concatenate([stored.scores, held_out.scores]))\n",
        "",
        (f"{_CHILD}test_what_a_person_must_put_right_is_said_in_words",),
    ),
    Mutation(
        "first-pins-stand",
        "The first pins of a request stand, whichever trainer wrote others.",
        f"{LIBRARY}/history/requests.py",
        "self._started.setdefault(request_id, Told(event, about))",
        "self._started[request_id] = Told(event, about)",
        ("tests/unit/history/test_model_history.py::test_the_first_pins_of_a_request_stand",),
    ),
    Mutation(
        "no-credentials-for-users-code",
        "The training process sees none of the service's settings.",
        f"{_TRAINING}/environment.py",
        "{name: os.environ[name] for name in _PASSED_ON if name in os.environ}",
        "dict(os.environ)",
        (f"{_CHILD}test_users_code_sees_no_settings_of_the_service",),
    ),
    Mutation(
        "training-ends-with-its-parent",
        "The training process ends when the trainer does.",
        f"{_TRAINING}/child.py",
        "    if os.getpgrp() == os.getpid():",
        "    threading.Event().wait()\n    if os.getpgrp() == os.getpid():",
        (f"{_CHILD}test_the_process_ends_with_its_parent",),
    ),
    Mutation(
        "training-has-a-time-limit",
        "A training that takes longer than the project allows is a failure.",
        f"{_TRAINING}/process.py",
        "            if time.monotonic() > deadline:",
        "            if False:",
        ("tests/unit/training/test_time_limit.py::test_a_training_that_takes_too_long_is_a_failure_in_words_and_leaves_no_process",),
    ),
    Mutation(
        "training-ends-with-its-helpers",
        "A training that ends takes with it the processes that it started.",
        f"{_TRAINING}/process.py",
        "        os.killpg(process.pid, signal.SIGKILL)",
        "        process.kill()",
        ("tests/unit/training/test_time_limit.py::test_a_training_that_takes_too_long_is_a_failure_in_words_and_leaves_no_process",),
    ),
)
