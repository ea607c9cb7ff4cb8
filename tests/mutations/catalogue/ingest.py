"""Guards of ingest: what is taken up once, and the order of a flush."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_INGEST = service("ingest")
_INTAKE, _FLUSH = "tests/unit/ingest/test_intake.py::", "tests/integration/ingest/test_flush_order.py::"

INGEST = (
    Mutation(
        "overlap-is-trimmed",
        "Requests that the lake has are trimmed from a message.",
        f"{_INGEST}/intake.py",
        "if rows is not None and start > claimed.start:",
        "if False:",
        (f"{_INTAKE}test_whatever_overlaps_arrive_and_whenever_it_is_cut_each_request_is_in_once",),
    ),
    Mutation(
        "gap-is-loud",
        "Requests that no message accounts for stop ingest.",
        f"{LIBRARY}/rows/request_ranges.py",
        "if claimed.start > after_gaps(gaps, claimed.topic_id, claimed.partition, waited_for):",
        "if False:",
        (
            f"{_INTAKE}test_a_gap_takes_nothing_of_its_record",
            "tests/unit/rows/test_request_ranges.py::test_a_gap_names_the_requests_that_are_missing",
        ),
    ),
    Mutation(
        "future-labels-move-no-watermark",
        "A label time that is yet to come does not carry the watermark away.",
        f"{_INGEST}/buffer.py",
        "min(",
        "max(",
        (f"{_INTAKE}test_a_time_that_is_yet_to_come_does_not_carry_the_watermark_away",),
    ),
    Mutation(
        "rejected-message-accounts-for-its-requests",
        "The requests of a message that is rejected count as quarantined, so that no gap seems to follow.",
        f"{_INGEST}/intake.py",
        "        if claimed is not None:\n            self._account(claimed, buffer, cursor, [Span(claimed.start, claimed.end)])\n",
        "",
        ("tests/integration/ingest/test_ingest.py::test_inferences_of_a_stranger_are_quarantined_and_leave_no_gap",),
    ),
    Mutation(
        "stored-before-committed",
        "The bytes are in the store before a commit names them.",
        f"{_INGEST}/table_writer.py",
        "        store_files(self._out.store, self._table, flush)\n",
        "",
        (f"{_FLUSH}test_the_bytes_are_in_the_store_before_a_commit_names_them",),
    ),
    Mutation(
        "quarantined-before-committed",
        "A rejected message is safe in quarantine before a commit names it.",
        f"{_INGEST}/table_writer.py",
        "        if self._rejected:\n            self._out.producer.flush()\n",
        "",
        (f"{_FLUSH}test_nothing_is_committed_while_a_rejected_message_is_not_safe_in_quarantine",),
    ),
    Mutation(
        "expired-messages-are-loud",
        "Messages that expired before they were read stop ingest.",
        f"{_INGEST}/table_writer.py",
        "            if cursor is not None and cursor < beginning and self._begins_at is None:",
        "            if False:",
        (f"{_FLUSH}test_messages_that_expired_before_they_were_read_stop_it_loudly",),
    ),
    Mutation(
        "fenced-rows-are-left-out",
        "A fenced flush goes on without the files of the partitions that it lost.",
        "libs/driftloop/src/driftloop/lake/commit.py",
        "files=tuple(file for file in self.files if file.partition not in partitions),",
        "files=self.files,",
        (
            "tests/unit/lake/test_flush.py::test_the_rest_of_a_flush_keeps_all_that_it_says_of_its_rows",
            f"{_FLUSH}test_a_fenced_flush_keeps_what_is_its_own_and_leaves_out_what_a_peer_has_stored",
        ),
    ),
    Mutation(
        "last-commit-is-announced-again",
        "After a restart the last commit's event is published again: the process may have died before it.",
        f"{_INGEST}/table_writer.py",
        "            if note is not None:\n                self._publish(note)",
        "            if False:\n                self._publish(note)",
        ("tests/integration/ingest/test_ingest.py::test_each_commit_is_announced_after_it_is_there_and_a_restart_repeats_the_last",),
    ),
)
