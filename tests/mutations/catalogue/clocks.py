"""Guards of times: clocks that are wrong, watermarks, late and early labels, windows that share a moment."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_MONITOR = service("monitor")
_PREDICTOR = service("predictor")
_UNIT = "tests/unit"
_FOLD = f"{_UNIT}/monitoring/test_partition_fold.py::"
_MARKS = f"{_UNIT}/predictor/test_watermarks.py::"
_INTAKE = f"{_UNIT}/ingest/test_intake.py::"
_DECIDER = f"{_UNIT}/monitor/test_decider.py::"

CLOCKS = (
    Mutation(
        "headers-hold-times-of-the-calendar",
        "A time in a header that some time zone cannot show makes its message invalid.",
        f"{LIBRARY}/contracts/headers.py",
        "    if not EARLIEST <= time <= LATEST:",
        "    if False:",
        (f"{_UNIT}/contracts/test_headers.py::test_a_time_that_some_zone_cannot_show_is_invalid",),
    ),
    Mutation(
        "a-clock-ahead-holds-no-alias",
        "A command of the year 9999 does not hold an alias there.",
        f"{LIBRARY}/registry/log_record.py",
        "command = command if command.at <= latest else",
        "command = command if True else",
        (f"{_UNIT}/registry/test_log_record.py::test_clock_far_ahead_does_not_hold_an_alias_in_the_future",),
    ),
    Mutation(
        "silence-is-asked-of-the-stream",
        "A predictor with silent partitions only takes the progress of the others from the stream.",
        f"{_PREDICTOR}/handlers.py",
        "            self._idle.saw_rows(self._progress())",
        "            pass",
        (f"{_MARKS}test_a_predictor_that_owns_only_silent_partitions_takes_the_progress_of_the_others_from_the_stream",),
    ),
    Mutation(
        "an-idle-promise-is-not-of-the-future",
        "No partition is promised a time that is yet to come.",
        f"{_PREDICTOR}/idle.py",
        "        reached = event_time if self._replay else min(event_time, wall)",
        "        reached = event_time",
        (f"{_MARKS}test_a_clock_that_is_a_little_ahead_promises_no_time_that_is_yet_to_come",),
    ),
    Mutation(
        "a-row-of-9999-promises-nothing",
        "A row far beyond its scoring moves no watermark of an idle partition.",
        f"{_PREDICTOR}/progress.py",
        "    if ahead is not None:",
        "    if False:",
        (f"{_MARKS}test_a_row_of_the_year_9999_moves_no_watermark",),
    ),
    Mutation(
        "a-watermark-of-the-future-is-invalid",
        "A watermark that lies beyond the clock is quarantined.",
        f"{LIBRARY}/contracts/headers.py",
        "    if latest is not None and mark > latest:",
        "    if False:",
        (f"{_MARKS}test_a_watermark_from_the_future_is_quarantined_and_says_what_to_declare",),
    ),
    Mutation(
        "an-old-watermark-of-the-future-closes-nothing",
        "A watermark that lies beyond the time at which it was written closes no window.",
        f"{LIBRARY}/monitoring/partition_fold.py",
        "            mark = None  # of a predictor of before",
        "            pass  # of a predictor of before",
        (f"{_FOLD}test_a_watermark_that_lies_beyond_the_time_at_which_it_was_written_closes_nothing_for_ever",),
    ),
    Mutation(
        "strays-give-way",
        "Of more windows than are kept the farthest in the future gives way.",
        f"{LIBRARY}/monitoring/partition_fold.py",
        "        if farthest < index:",
        "        if True:",
        (f"{_FOLD}test_strays_of_wrong_clocks_give_way_to_windows_that_are_nearer",),
    ),
    Mutation(
        "a-label-is-not-dated-ahead",
        "A label became known no later than its message reached the broker.",
        f"{LIBRARY}/lake/label_times.py",
        "    return pc.if_else(pc.fill_null(pc.greater(label_times, latest), False), latest, label_times)",
        "    return label_times",
        (f"{_INTAKE}test_a_label_is_not_dated_later_than_it_can_have_been_sent",),
    ),
    Mutation(
        "the-streams-row-comes-first",
        "A row of the stream counts before one that came by HTTP with its id.",
        f"{LIBRARY}/lake/join.py",
        'order if rule == FIRST_RULE else ["request_offset IS NULL", *order]',
        "order",
        (f"{_UNIT}/lake/test_join.py::test_a_row_of_the_stream_counts_before_one_that_came_by_http_with_its_id",),
    ),
    Mutation(
        "the-champion-is-judged-on-unseen-rows",
        "The gate never measures a champion on rows that it was fitted on.",
        f"{LIBRARY}/training/comparison.py",
        "        unseen: Mask = judged & ~self._rows.seen_by(fitted_on)",
        "        unseen: Mask = judged",
        (
            f"{_UNIT}/training/test_comparison.py::test_a_champion_that_was_fitted_with_the_window_is_judged_only_on_rows_that_it_has_not_seen",
        ),
    ),
    Mutation(
        "late-labels-are-new-labels",
        "Labels that land after their window was decided count when they land.",
        f"{LIBRARY}/monitoring/evidence.py",
        "        return self.labelled + self.labels_landed_since",
        "        return self.labelled",
        (
            "tests/unit/monitor/test_decider_late_labels.py::test_labels_that_land_two_windows_later_are_counted_when_they_land_and_their_window_is_judged_on",
        ),
    ),
    Mutation(
        "late-labels-count-once",
        "What a decision has counted of late labels is not new to the next.",
        f"{LIBRARY}/monitoring/late_labels.py",
        "                found[late.window] = msgspec.structs.replace(found[late.window], counted=late.labelled)",
        "                pass",
        (
            "tests/unit/monitor/test_decider_late_labels.py::test_late_labels_are_counted_once_whatever_restarts",
            f"{_UNIT}/monitoring/test_late_labels.py::test_what_was_counted_is_told_by_the_decisions_alone",
        ),
    ),
    Mutation(
        "windows-remember-their-reports",
        "A label that lands after the topic has forgotten a report makes the next revision.",
        f"{_MONITOR}/decider.py",
        "        if published is None or (remembered is not None and remembered.revision > published.revision):\n"
        "            return remembered",
        "        if published is None:\n            return None",
        ("tests/unit/monitor/test_decider_reports.py::test_a_correction_after_the_reports_were_forgotten_goes_on_counting_revisions",),
    ),
    Mutation(
        "a-window-is-its-start-and-end",
        "Windows that share a start have a decision each.",
        f"{_MONITOR}/decider.py",
        "    return window.start, window.end\n",
        "    return window.start, window.start\n",
        (f"{_DECIDER}test_two_windows_that_share_a_start_have_a_report_and_a_decision_each",),
    ),
    Mutation(
        "a-column-twice-is-no-progress",
        "A message that names a column twice says nothing of how far the stream has come.",
        f"{_PREDICTOR}/progress.py",
        "if rows.schema.names.count(name) != 1 or",
        "if name not in rows.schema.names or",
        (f"{_MARKS}test_progress_is_also_taken_from_rows_that_came_by_http_and_from_no_message_of_a_stranger",),
    ),
    Mutation(
        "rows-without-times-are-no-progress",
        "A message whose rows have no times says nothing of how far the stream has come.",
        f"{_PREDICTOR}/progress.py",
        " or rows.column(name).null_count:",
        ":",
        (f"{_MARKS}test_rows_of_a_stranger_without_a_time_stop_no_silent_predictor_of_a_replay",),
    ),
    Mutation(
        "a-window-to-come-is-closed-by-nobody",
        "A sketch of a window that is yet to come is passed over.",
        f"{LIBRARY}/monitoring/sketch_check.py",
        "    if latest is not None and sketch.window.start > latest:",
        "    if False:",
        (
            "tests/unit/monitor/test_strangers_bytes.py::"
            "test_a_sketch_that_no_monitor_writes_is_passed_over_and_the_window_is_reported_from_the_others",
        ),
    ),
    Mutation(
        "an-old-promise-moves-no-watermark-of-the-lake",
        "Ingest does not believe a watermark beyond the clock, whichever predictor passed it on.",
        f"{service('ingest')}/intake.py",
        "        if mark is not None and (self._ahead is None or mark <= self._clock.now() + self._ahead):",
        "        if mark is not None:",
        ("tests/unit/ingest/test_intake.py::test_a_promise_that_an_earlier_predictor_passed_on_from_a_wrong_clock_is_not_believed",),
    ),
    Mutation(
        "early-labels-are-not-judged-on",
        "A run that names no window is judged on one whose labels are all but complete.",
        f"{LIBRARY}/monitoring/settled_labels.py",
        "found.labelled >= SETTLED_SHARE * coverage * found.rows",
        "True",
        (f"{_UNIT}/monitoring/test_settled_labels.py::test_early_labels_are_no_sample_of_those_to_come",),
    ),
    Mutation(
        "commits-are-in-the-order-of-their-times",
        "A commit says no earlier time than the one before it, whatever its writer's clock.",
        f"{LIBRARY}/lake/notes.py",
        "    return last if last is not None and now < last <= now + CLOCK_SKEW else now",
        "    return now",
        (f"{_UNIT}/lake/test_notes.py::test_commits_of_writers_whose_clocks_differ_are_in_the_order_of_their_times",),
    ),
    Mutation(
        "lone-labels-make-another-report",
        "A report on more labels without an inference says something new.",
        f"{LIBRARY}/monitoring/performance.py",
        "[*said, *more, *last]",
        "[*said, *more]",
        (f"{_UNIT}/monitoring/test_performance.py::test_a_report_without_lone_labels_has_the_content_that_releases_before_gave_it",),
    ),
)
