"""Guards of drift: thresholds that keep a budget of false alarms, a score beside what it can be, one incident per cause."""

from tests.mutations.mutation import LIBRARY, Mutation

_STATISTICS, _MONITORING, _TRAINING = f"{LIBRARY}/statistics", f"{LIBRARY}/monitoring", f"{LIBRARY}/training"
_CALIBRATION = "tests/unit/statistics/test_calibration.py::"
_VERDICT, _INCIDENTS = "tests/unit/monitoring/test_verdict.py::", "tests/unit/monitoring/test_incidents.py::"
_PROFILE = "tests/unit/training/test_version_profile.py::"

DRIFT = (
    Mutation(
        "stretch-is-left-out-of-its-reference",
        "A stretch is compared with the rest of the reference, not with itself.",
        f"{_STATISTICS}/calibration.py",
        "upto[-1] - (upto[right] - upto[left])",
        "upto[-1]",
        (f"{_CALIBRATION}test_the_threshold_is_the_ranked_largest_distance_from_the_rest_counted_row_by_row",),
    ),
    Mutation(
        "short-reference-gives-no-threshold",
        "Training data of fewer windows than the budget needs give no threshold.",
        f"{_STATISTICS}/calibration.py",
        "    if windows < max(2, needed_windows(budget.alpha)):",
        "    if windows < 2:",
        (f"{_CALIBRATION}test_fewer_windows_than_the_budget_needs_give_no_threshold",),
    ),
    Mutation(
        "calendar-blinds-nothing",
        "A column that follows the calendar does not hide the others.",
        f"{_STATISTICS}/calibration.py",
        "if np.median(values[enough]) < FOLLOWS_CALENDAR",
        "if True",
        (f"{_CALIBRATION}test_a_column_that_follows_the_calendar_is_not_judged_and_does_not_blind_the_others",),
    ),
    Mutation(
        "more-rows-never-take-more",
        "Windows of few rows take a higher threshold than those of many.",
        f"{_STATISTICS}/drift_thresholds.py",
        "    if not thresholds or n < rows[0]:",
        "    if not thresholds:",
        (
            f"{_CALIBRATION}test_fewer_rows_take_a_higher_threshold_and_too_few_have_none",
            f"{_VERDICT}test_a_window_of_few_rows_takes_more_and_one_of_too_few_is_not_judged",
        ),
    ),
    Mutation(
        "score-is-compared-with-held-out-rows",
        "A version's score is compared with what it says about rows that it was not fitted on.",
        f"{_TRAINING}/version_profile.py",
        "    scored = unseen.where(among[mask & rows.held_out])",
        "    scored = rows.output(pipeline, among)",
        (f"{_PROFILE}test_a_random_forests_score_does_not_drift_for_ever",),
    ),
    Mutation(
        "stated-constants-are-kept",
        "A project that writes constants out is judged by them.",
        f"{_MONITORING}/verdict.py",
        "None if project.monitoring.constant or profile.drift is UNSET",
        "None if profile.drift is UNSET",
        (f"{_VERDICT}test_constants_that_are_written_out_are_kept_whatever_was_calibrated",),
    ),
    Mutation(
        "unjudged-column-raises-no-alarm",
        "A column that is not judged makes no window a drifted one.",
        f"{_MONITORING}/verdict.py",
        "    return name not in found.unjudged",
        "    return True",
        (f"{_VERDICT}test_a_column_that_follows_the_calendar_is_told_and_not_judged",),
    ),
    Mutation(
        "incident-has-one-cause",
        "Windows that drifted in other columns alone are another incident.",
        f"{_MONITORING}/incidents.py",
        "open_one is not None and open_one.columns.keys() & alarm.columns.keys():",
        "open_one is not None:",
        (f"{_INCIDENTS}test_other_columns_alone_are_another_incident",),
    ),
    Mutation(
        "corrected-window-corrects-incidents",
        "What late rows change about a window is folded into the incidents after it.",
        f"{_MONITORING}/assembly.py",
        "[now.alarm, *rest]",
        "[now.alarm]",
        (
            f"{_INCIDENTS}test_a_window_that_late_rows_make_calm_again_shortens_the_incident_before_it",
            f"{_INCIDENTS}test_whatever_is_corrected_and_restarted_what_is_known_is_the_fold_over_the_windows_as_they_are",
        ),
    ),
    Mutation(
        "a-season-needs-a-year",
        "Training rows that do not reach back a year are no season, and all of them are compared with.",
        f"{LIBRARY}/training/season.py",
        "    if micros(start) < times.min() or ",
        "    if ",
        ("tests/unit/training/test_season.py::test_without_such_a_season_all_training_rows_are_the_reference",),
    ),
)
