"""Guards of the monitor: counts that are exact whatever comes twice or late, and one decision per window."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_MONITORING, _MONITOR = f"{LIBRARY}/monitoring", service("monitor")
_FOLD, _BOUNDS = "tests/unit/monitoring/test_partition_fold.py::", "tests/unit/monitoring/test_bounded_windows.py::"
_ASSEMBLY, _DECIDER = "tests/unit/monitoring/test_assembly.py::", "tests/unit/monitor/test_decider.py::"
_RUNNER = "tests/unit/monitor/test_partition_runner.py::"

MONITOR = (
    Mutation(
        "message-is-folded-once",
        "A message below the next offset changes nothing.",
        f"{_MONITORING}/partition_fold.py",
        "        if offset < self.next_offset:\n            return 0",
        "",
        ("tests/unit/monitoring/test_read_again.py::test_rows_without_a_range_count_once_however_often_their_message_is_read",),
    ),
    Mutation(
        "skipped-message-stops-the-fold",
        "A message beyond the next offset stops the fold.",
        f"{_MONITORING}/partition_fold.py",
        "        if offset > self.next_offset:",
        "        if False:",
        (f"{_FOLD}test_a_skipped_message_stops_the_fold",),
    ),
    Mutation(
        "folded-requests-are-trimmed",
        "Requests that were folded before are trimmed from a message.",
        f"{_MONITORING}/partition_fold.py",
        "if rows.num_rows and covered is not None and expected > covered.start:",
        "if False:",
        (f"{_FOLD}test_requests_accounted_for_twice_are_trimmed",),
    ),
    Mutation(
        "windows-are-bounded",
        "No more than 400 windows are kept, however far apart the times of rows.",
        f"{_MONITORING}/partition_fold.py",
        "if len(self._windows) < MAX_WINDOWS:",
        "if True:",
        (f"{_BOUNDS}test_rows_of_more_windows_than_are_kept_open_no_more_and_are_counted",),
    ),
    Mutation(
        "empty-windows-are-bounded",
        "No more than 100 empty windows are sent, however far a watermark jumps.",
        f"{_MONITORING}/partition_fold.py",
        "max(first, before - MAX_EMPTY_WINDOWS, self._plan.first)",
        "max(first, self._plan.first)",
        (f"{_BOUNDS}test_a_watermark_that_jumps_a_year_sends_the_last_empty_windows_only",),
    ),
    Mutation(
        "future-row-closes-nothing",
        "A row from far in the future closes no window.",
        f"{_MONITORING}/window_index.py",
        "times[times <= scored + ahead // _MICROSECOND]",
        "times",
        (f"{_FOLD}test_a_row_from_far_in_the_future_closes_nothing",),
    ),
    Mutation(
        "rows-are-held-against-the-brokers-clock",
        "A predictor whose clock is ahead as its rows are closes no window.",
        f"{_MONITORING}/window_index.py",
        "scored if written is None else np.minimum(scored, _microseconds(written))",
        "scored",
        (f"{_FOLD}test_a_predictor_whose_clock_is_ahead_as_its_rows_are_closes_nothing_for_ever",),
    ),
    Mutation(
        "made-up-partition-holds-nothing-up",
        "A window does not wait for a partition that its topic does not have.",
        f"{_MONITORING}/assembly.py",
        " if partition < counted.partitions]  # others",
        "]  # others",
        (f"{_ASSEMBLY}test_a_partition_that_somebody_made_up_holds_no_window_up",),
    ),
    Mutation(
        "changed-windows-have-their-turn",
        "Windows are measured again in the order in which they changed, however many do so all the time.",
        f"{_MONITOR}/decider.py",
        "for window in self._dirty if self._all_there",
        "for window in sorted(self._dirty, key=lambda w: w.start) if self._all_there",
        ("tests/unit/monitor/test_decider_reports.py::test_each_window_is_measured_in_its_turn_however_many_change_all_the_time",),
    ),
    Mutation(
        "late-labels-stay-counted",
        "Labels that a decision counted stay counted when it lets go of their windows.",
        f"{LIBRARY}/history/decisions.py",
        "counted_labels(decisions, self._counted.get(model, {}))",
        "counted_labels(decisions)",
        ("tests/unit/history/test_model_history.py::test_labels_are_known_as_counted_also_where_older_decisions_have_let_go_of_them",),
    ),
    Mutation(
        "stored-before-acknowledged",
        "Messages are acknowledged after the table holds what was folded.",
        f"{_MONITOR}/partition_runner.py",
        '            crash_point("monitor.after-sketches")\n',
        '            crash_point("monitor.after-sketches")\n            for event in events:\n                await self._ack(event)\n',
        (
            f"{_RUNNER}test_a_closed_window_is_published_then_stored_then_acknowledged",
            f"{_RUNNER}test_a_store_that_fails_is_tried_again_and_nothing_is_acknowledged_before",
        ),
    ),
    Mutation(
        "published-before-stored",
        "Sketches are published before the table forgets that they are due.",
        f"{_MONITOR}/partition_runner.py",
        "            for counted in closed:\n"
        "                await asyncio.to_thread(self._publish, counted)\n"
        '            crash_point("monitor.after-sketches")\n'
        "            await self._values.write(values, next_offset)\n",
        "            await self._values.write(values, next_offset)\n"
        "            for counted in closed:\n"
        "                await asyncio.to_thread(self._publish, counted)\n",
        (f"{_RUNNER}test_a_closed_window_is_published_then_stored_then_acknowledged",),
    ),
    Mutation(
        "changelog-insists",
        "A write to the changelog is repeated until the broker has taken it.",
        f"{_MONITOR}/faust_support/durable_table.py",
        "                attempt += 1",
        "                return",
        (f"{_RUNNER}test_a_store_that_fails_is_tried_again_and_nothing_is_acknowledged_before",),
    ),
    Mutation(
        "highest-closing-offset-wins",
        "Of two sketches of one window the one with the higher closing offset counts.",
        f"{_MONITORING}/assembly.py",
        "_same_topic(before, counted) and before.closing_offset >= counted.closing_offset",
        "False",
        (f"{_ASSEMBLY}test_late_rows_raise_the_revision_and_an_older_sketch_does_not",),
    ),
    Mutation(
        "report-needs-all-partitions",
        "A window is reported when all partitions have closed it.",
        f"{_MONITORING}/assembly.py",
        "len(known) < counted.partitions",
        "False",
        (f"{_ASSEMBLY}test_a_window_is_reported_when_its_last_partition_is_in",),
    ),
    Mutation(
        "forgotten-window-stays-forgotten",
        "A sketch of a window that was forgotten opens no new one.",
        f"{_MONITORING}/assembly.py",
        "forgotten is not None and counted.window.end <= forgotten",
        "False",
        ("tests/unit/monitoring/test_stored_assembly.py::test_the_table_stays_bounded",),
    ),
    Mutation(
        "sketch-that-never-comes-is-a-gap",
        "A sketch beyond the next offset stops the assembly.",
        f"{_MONITOR}/assembly_runner.py",
        "        if message.offset > due:",
        "        if False:",
        ("tests/unit/monitor/test_assembly_runner.py::test_a_sketch_that_never_comes_is_a_gap_and_not_a_report_without_it",),
    ),
    Mutation(
        "decision-waits-for-the-lake",
        "A window is decided when the lake holds all of its rows.",
        f"{_MONITOR}/decider.py",
        "self._lake.holds(summary.closing_offsets, summary.topic_ids or {}) and self._lake.labels_known(window)",
        "self._lake.labels_known(window)",
        (f"{_DECIDER}test_a_decision_waits_for_the_lake_and_for_the_labels",),
    ),
    Mutation(
        "decision-waits-for-the-labels",
        "A window is decided when its labels are known, or waiting for them has to end.",
        f"{_MONITOR}/decider.py",
        "self._lake.holds(summary.closing_offsets, summary.topic_ids or {}) and self._lake.labels_known(window)",
        "self._lake.holds(summary.closing_offsets, summary.topic_ids or {})",
        (f"{_DECIDER}test_a_decision_waits_for_the_lake_and_for_the_labels",),
    ),
    Mutation(
        "first-decision-stands",
        "The first decision on a window stands, whoever wrote a second one.",
        f"{LIBRARY}/history/decisions.py",
        "        if kept.setdefault(window, told) is not told or self._whole is None:\n",
        "        kept[window] = told\n        if self._whole is None:\n",
        ("tests/unit/history/test_model_history.py::test_the_first_decision_of_an_id_stands_and_another_models_is_not_ours",),
    ),
    Mutation(
        "one-run-at-a-time",
        "A run in flight holds back the next.",
        f"{_MONITORING}/policy.py",
        "    if evidence.runs_in_flight:",
        "    if False:",
        (
            "tests/unit/monitoring/test_policy.py::test_a_run_in_flight_holds_the_next",
            f"{_DECIDER}test_windows_are_decided_in_order_and_a_run_in_flight_holds_the_second",
        ),
    ),
    Mutation(
        "budget-ends",
        "No more runs are asked for than the budget allows.",
        f"{_MONITORING}/policy.py",
        "    if not possible(budget, state.attempts, end, kept=kept):",
        "    if False:",
        ("tests/unit/monitoring/test_policy.py::test_the_budget_is_spent_and_comes_back_with_the_period",),
    ),
)
