"""Guards of the predictor: each request accounted for once, and the right model in service."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_PREDICTOR = service("predictor")
_HANDLERS, _MODEL = "tests/unit/predictor/test_handlers.py::", "tests/unit/predictor/test_model.py::"

PREDICTOR = (
    Mutation(
        "one-message-on-its-way",
        "The next message of a partition is sent when the broker holds the last.",
        f"{_PREDICTOR}/handlers.py",
        "                cut[tp] = self._account(tp)\n            self._settle()",
        "                cut[tp] = self._account(tp)",
        (f"{_HANDLERS}test_a_lost_message_ends_the_work_before_a_later_one_of_its_partition_is_sent",),
    ),
    Mutation(
        "offsets-count-after-delivery",
        "An offset may be committed only after the broker holds the range that accounts for it.",
        f"{_PREDICTOR}/handlers.py",
        "self._in_flight[tp] = message.end",
        "self._durable[tp] = message.end",
        (f"{_HANDLERS}test_offsets_may_be_committed_only_after_the_broker_holds_their_range",),
    ),
    Mutation(
        "rejected-bytes-first",
        "Rejected bytes are in quarantine before a range names them.",
        f"{_PREDICTOR}/handlers.py",
        '        self._deliver(self._producer.flush)\n        crash_point("predictor.after-quarantine")',
        '        crash_point("predictor.after-quarantine")',
        (f"{_HANDLERS}test_rejected_bytes_are_delivered_before_a_range_names_them",),
    ),
    Mutation(
        "idle-only-at-the-end",
        "A partition is idle only when nothing of it waits in Kafka either.",
        f"{_PREDICTOR}/handlers.py",
        " or not self._read_to_end(tp)",
        "",
        (f"{_HANDLERS}test_an_idle_partition_gets_one_watermark_and_only_when_nothing_is_unread",),
    ),
    Mutation(
        "highest-range-counts",
        "A new owner goes on behind the highest range, not behind the one that was written last.",
        f"{_PREDICTOR}/positions.py",
        "return max(found)",
        "return found[-1]",
        (f"{_HANDLERS}test_a_twin_that_wakes_up_gives_overlaps_that_readers_trim_to_each_row_once",),
    ),
    Mutation(
        "ranges-of-this-topic-only",
        "Ranges of another incarnation of the topic say nothing about this one.",
        f"{_PREDICTOR}/positions.py",
        "if accounted is not None and accounted.topic_id == topic_id:",
        "if accounted is not None:",
        (f"{_HANDLERS}test_the_next_owner_goes_on_behind_the_last_range_past_http_rows_and_other_topic_ids",),
    ),
    Mutation(
        "records-are-taken-once",
        "Records that are held already are passed over.",
        f"{_PREDICTOR}/buffer.py",
        "            if record.offset < self._end:",
        "            if False:",
        (f"{_HANDLERS}test_records_taken_twice_are_accounted_for_once",),
    ),
    Mutation(
        "rows-beyond-a-message-are-divided",
        "Rows that do not fit into one message become several messages.",
        f"{_PREDICTOR}/batches.py",
        "        if len(value) > MAX_MESSAGE_BYTES and len(batch.records) > 1:",
        "        if False:",
        (
            "tests/unit/predictor/test_message_size.py::test_a_batch_that_is_too_large_for_one_message_becomes_several_that_follow_one_another",
        ),
    ),
    Mutation(
        "request-beyond-a-message-is-rejected",
        "A request whose rows do not fit into a message alone is rejected.",
        f"{_PREDICTOR}/batches.py",
        "        if len(value) > MAX_MESSAGE_BYTES:\n            reason",
        "        if False:\n            reason",
        (
            "tests/unit/predictor/test_message_size.py::test_a_single_request_that_is_too_large_goes_to_quarantine_and_its_neighbours_are_scored",
        ),
    ),
    Mutation(
        "epoch-never-lower",
        "A champion of a lower epoch than the one in service is not taken up.",
        f"{_PREDICTOR}/model.py",
        "epoch <= current.epoch:",
        "epoch == current.epoch:",
        (f"{_MODEL}test_a_lower_epoch_is_never_taken_up_also_not_after_a_restart",),
    ),
    Mutation(
        "correction-never-older",
        "A correction of a lower epoch than the one in service is not taken up.",
        f"{_PREDICTOR}/model.py",
        "current.place < _place(model)",
        "current.place != _place(model)",
        ("tests/unit/predictor/test_recalibrations.py::test_a_promotion_ends_it_and_an_older_place_is_never_taken_up",),
    ),
    Mutation(
        "correction-is-kept-on-disk",
        "A start from disk corrects answers as they were corrected before.",
        f"{_PREDICTOR}/model.py",
        "corrected = (kept.recalibration_epoch, kept.recalibration)",
        "corrected = (0, None)",
        ("tests/unit/predictor/test_recalibrations.py::test_a_start_from_disk_corrects_as_before",),
    ),
    Mutation(
        "bad-model-is-refused-once",
        "A model that was refused is not fetched again at once.",
        f"{_PREDICTOR}/model.py",
        "self._refused.get(champion.manifest, 0.0) > time.monotonic()",
        "False",
        (f"{_MODEL}test_a_bad_model_is_refused_once_and_the_last_good_one_serves_on",),
    ),
    Mutation(
        "pointer-to-the-kept-model-last",
        "The model on disk is named after all of its files are there.",
        f"{_PREDICTOR}/last_good.py",
        "        for key, data in objects.items():\n"
        "            _write(self._path(key), data)\n"
        "        _write(self._folder / KEYS, msgspec.json.encode(sorted(objects)))\n"
        "        _write(self._folder / POINTER, msgspec.json.encode(pointer))",
        "        _write(self._folder / POINTER, msgspec.json.encode(pointer))\n"
        "        for key, data in objects.items():\n"
        "            _write(self._path(key), data)\n"
        "        _write(self._folder / KEYS, msgspec.json.encode(sorted(objects)))",
        ("tests/unit/predictor/test_last_good.py::test_a_model_that_does_not_fit_on_the_disk_leaves_the_one_before",),
    ),
    Mutation(
        "recorder-is-bounded",
        "Rows by HTTP are refused when too many wait to be recorded.",
        f"{_PREDICTOR}/recorder.py",
        "self._rows + rows.num_rows > self._max_rows or self._stopping",
        "self._stopping",
        ("tests/unit/predictor/test_http.py::test_a_full_buffer_drops_and_counts_unless_the_caller_wants_it_durable",),
    ),
    Mutation(
        "body-is-bounded-as-it-comes",
        "A body without a declared length is cut off at the limit.",
        f"{LIBRARY}/service/bounded_bodies.py",
        "        self._bounds._check(self.size + len(piece), self.size)\n",
        "",
        ("tests/unit/predictor/test_http.py::test_a_body_without_a_declared_length_is_cut_off_at_the_limit",),
    ),
)
