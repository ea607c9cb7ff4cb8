"""Guards of the services' loops, of how processes end, and of the local stack."""

from tests.mutations.mutation import LIBRARY, Mutation

_SERVICE, _LOCAL = f"{LIBRARY}/service", f"{LIBRARY}/local"
_EVENTS, _PARTITIONS = "tests/unit/service/test_event_worker.py::", "tests/unit/service/test_partition_worker.py::"
_GIVING_UP, _CODES = "tests/unit/service/test_giving_up_partitions.py::", "tests/unit/service/test_exit_codes.py::"

PROCESSES = (
    Mutation(
        "commit-after-handling",
        "An event's offset is committed after its handler returned.",
        f"{_SERVICE}/event_worker.py",
        "            if not self._handle_until_done(record):",
        "            self._consumer.commit({tp: record.offset + 1})\n            if not self._handle_until_done(record):",
        (
            f"{_EVENTS}test_an_offset_is_committed_only_after_its_handler_returned",
            f"{_EVENTS}test_an_error_that_no_event_can_mend_stops_the_service_and_leaves_the_offset",
        ),
    ),
    Mutation(
        "events-of-others-are-left",
        "Events of a partition that was given away are left to its next owner.",
        f"{_SERVICE}/event_worker.py",
        "if self._stop.requested() or tp not in self._consumer.assignment():",
        "if self._stop.requested():",
        (f"{_GIVING_UP}test_events_in_hand_of_a_partition_that_was_given_away_are_left_to_its_next_owner",),
    ),
    Mutation(
        "records-before-the-seek-are-dropped",
        "Records of a partition that waits for its place are dropped.",
        f"{_SERVICE}/partition_worker.py",
        "if tp in consumer.assignment() and tp not in self._to_seek:",
        "if tp in consumer.assignment():",
        (f"{_GIVING_UP}test_records_in_hand_of_a_partition_that_waits_for_its_place_are_dropped",),
    ),
    Mutation(
        "only-own-offsets-are-committed",
        "Offsets of a partition that was given away are not committed.",
        f"{_SERVICE}/partition_worker.py",
        "if tp in owned and self._committed.get(tp) != o}",
        "if self._committed.get(tp) != o}",
        (f"{_GIVING_UP}test_offsets_of_a_partition_that_was_given_away_are_no_longer_committed",),
    ),
    Mutation(
        "reading-starts-at-the-durable-state",
        "A partition is read from where the durable state says.",
        f"{_SERVICE}/partition_worker.py",
        "                self._consumer.seek(tp, offsets[tp])\n",
        "",
        (f"{_PARTITIONS}test_reading_starts_where_the_durable_state_says_not_where_kafka_does",),
    ),
    Mutation(
        "a-topic-that-lost-its-end-is-a-gap",
        "New records under offsets that are known already, of a topic that lost its end, are not taken for known ones.",
        f"{_SERVICE}/partition_worker.py",
        "            if offsets[tp] <= end:\n",
        "            if True:\n",
        (f"{_PARTITIONS}test_a_topic_that_has_lost_its_end_is_a_gap_and_new_records_under_the_old_offsets_are_not_taken_for_known_ones",),
    ),
    Mutation(
        "exit-code-for-settings",
        "A process whose settings are wrong ends with 78, which means: starting again will not help.",
        f"{_SERVICE}/process.py",
        "        code = EXIT_CONFIGURATION\n",
        "        code = EXIT_FAILED\n",
        (f"{_CODES}test_a_services_exit_code_says_how_it_ended",),
    ),
    Mutation(
        "first-reason-to-stop-stands",
        "The first reason to stop decides the exit code.",
        f"{_SERVICE}/process.py",
        "        if not self._event.is_set():\n            self.code = code",
        "        self.code = code",
        (f"{_CODES}test_the_first_reason_to_stop_stands",),
    ),
    Mutation(
        "draining-has-an-end",
        "A process that does not drain ends by itself.",
        f"{_SERVICE}/process.py",
        "        threading.Thread(target=_exit_after, args=(10.0,), daemon=True).start()\n",
        "",
        (f"{_CODES}test_a_service_that_does_not_drain_ends_by_itself",),
    ),
    Mutation(
        "one-instance-per-slot",
        "Two instances on one machine never share a slot, which is their name and their folder.",
        f"{_SERVICE}/instance.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        ("tests/unit/service/test_instance.py::test_a_second_instance_takes_the_next_slot_and_a_killed_ones_slot_is_free_again",),
    ),
    Mutation(
        "pid-is-told-from-a-later-one",
        "A process is told from a later one with the same pid and command.",
        f"{_LOCAL}/identity.py",
        'return f"{fields[19]}-',
        'return f"',
        ("tests/unit/local/test_identity.py::test_two_processes_of_one_command_are_told_apart_by_when_they_began",),
    ),
    Mutation(
        "one-stack-per-home",
        "A home has one stack at a time.",
        f"{_LOCAL}/claim.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        ("tests/unit/local/test_claim.py::test_a_home_has_one_stack_at_a_time",),
    ),
    Mutation(
        "taken-ports-are-named",
        "A stack whose port is taken starts nothing, and names the port.",
        f"{_LOCAL}/port_numbers.py",
        "    if taken:",
        "    if False:",
        ("tests/unit/local/test_port_numbers.py::test_a_taken_port_is_named_with_its_component_and_the_setting",),
    ),
    Mutation(
        "children-die-with-the-supervisor",
        "The processes of a stack die with a supervisor that is killed.",
        f"{_LOCAL}/process.py",
        "preexec_fn=die_with_parent",
        "preexec_fn=None",
        ("tests/unit/local/test_supervisor.py::test_children_die_with_a_supervisor_that_is_killed",),
    ),
    Mutation(
        "wrong-settings-are-not-tried-again",
        "A process that ends with 78 is not started again.",
        f"{_LOCAL}/supervisor.py",
        "if code == CONFIGURATION_ERROR_EXIT_CODE:",
        "if False:",
        ("tests/unit/local/test_supervisor.py::test_a_child_with_a_wrong_configuration_is_not_started_again",),
    ),
)
