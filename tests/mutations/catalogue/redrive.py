"""Guards where rejected messages are sent again."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_RUN, _PLAN, _CONTRACT = (f"tests/unit/redrive/test_{name}.py::" for name in ("run", "planning", "contract"))
_ACCOUNT = "tests/unit/demo/test_conservation.py::"

REDRIVE = (
    Mutation(
        "redriven-once",
        "What is on record as sent again is not sent again.",
        f"{LIBRARY}/redrive/planning.py",
        "if before and (not self.again or redrive in self.skip):",
        "if False:",
        (f"{_PLAN}test_a_message_that_was_sent_before_is_not_sent_again_unless_that_is_asked_for",),
    ),
    Mutation(
        "quarantined-twice-is-one",
        "A message that quarantine holds twice is sent again once.",
        f"{LIBRARY}/redrive/planning.py",
        "if redrive not in seen:",
        "if True:",
        (f"{_PLAN}test_a_message_that_quarantine_holds_twice_is_one",),
    ),
    Mutation(
        "one-redrive-at-a-time",
        "A run that begins beside another one holds nothing.",
        f"{LIBRARY}/history/redrives.py",
        "if self.holder is not None and event.takes_over != self.holder.started.run:",
        "if False:",
        (f"{_RUN}test_of_two_that_begin_at_the_same_moment_one_sends",),
    ),
    Mutation(
        "redrive-is-not-taken-over-by-itself",
        "A run that may still be at work is taken over only by who says so.",
        f"{LIBRARY}/redrive/run.py",
        "if holder is not None and not take_over and not self._has_ended(holder.started.machine, holder.started.process):",
        "if False:",
        (f"{_RUN}test_a_run_that_may_still_be_there_is_only_taken_over_by_who_says_so",),
    ),
    Mutation(
        "broken-off-redrive-is-looked-for",
        "What a run had sent when it broke off is found in the topics before anything else is sent.",
        f"{LIBRARY}/redrive/run.py",
        "recovered = self._recovered()",
        "recovered: frozenset[str] = frozenset()",
        (f"{_RUN}test_what_a_run_had_sent_when_it_broke_off_is_found_and_not_sent_again",),
    ),
    Mutation(
        "taken-over-redrive-stops",
        "A run that was taken over sends nothing more.",
        f"{LIBRARY}/redrive/run.py",
        "        self._still_ours()  # whoever has taken over sends what this run has not\n",
        "",
        (f"{_RUN}test_a_run_that_was_taken_over_sends_nothing_more",),
    ),
    Mutation(
        "other-machines-are-not-judged",
        "Whether a process has ended is not guessed of another machine.",
        f"{LIBRARY}/redrive/whose.py",
        "if machine != this_machine():",
        "if False:",
        (f"{_RUN}test_whether_a_process_has_ended_is_known_of_this_machine_alone",),
    ),
    Mutation(
        "redriven-event-keeps-its-id",
        "A message is not sent again as another event.",
        f"{LIBRARY}/redrive/contract.py",
        "_same_event(original, self._ids(original, kept))",
        "self._ids(original, kept)",
        (f"{_CONTRACT}test_an_event_keeps_its_id",),
    ),
    Mutation(
        "redrive-writes-our-topics-alone",
        "What came from somebody else's topic is not written there.",
        f"{LIBRARY}/redrive/contract.py",
        "if original.topic not in (self._requests, self._labels):",
        "if False:",
        (f"{_CONTRACT}test_a_topic_that_is_not_to_be_written_is_refused",),
    ),
    Mutation(
        "old-promises-are-not-made-again",
        "A watermark that a rejected message carried is left out.",
        f"{LIBRARY}/redrive/contract.py",
        "if each[0] != WATERMARK",
        "if True",
        (f"{_CONTRACT}test_a_promise_of_another_moment_is_not_made_again",),
    ),
    Mutation(
        "redriven-row-counts-once",
        "A row that came twice by redrives is one row.",
        f"{LIBRARY}/demo/sent_rows.py",
        "for place in places[1:]",
        "for place in ()",
        (f"{_ACCOUNT}test_a_message_that_was_sent_again_twice_is_one_row",),
    ),
    Mutation(
        "redrive-makes-up-for-nothing",
        "A message that was sent again is not counted beside the one that was rejected.",
        f"{LIBRARY}/demo/sent_rows.py",
        "if message.rejected or message.parent is not None:",
        "if message.rejected:",
        (f"{_ACCOUNT}test_a_redrive_does_not_make_up_for_a_row_that_was_lost",),
    ),
    Mutation(
        "console-redrives-with-a-reason",
        "A form that sends messages again says why.",
        f"{service('console')}/redrive_form.py",
        "if send and not 0 < len(why) <= MAX_WHY:",
        "if False:",
        ("tests/unit/console/test_data_pages.py::test_what_is_wrong_in_a_form_is_said_and_nothing_is_asked",),
    ),
)
