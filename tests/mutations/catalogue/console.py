"""What the console shows, and what it passes on."""

from tests.mutations.mutation import Mutation, service

_CONSOLE, _TESTS = service("console"), "tests/unit/console"

CONSOLE = (
    Mutation(
        "no-alarm-is-lost-in-a-pixel",
        "Windows that share a pixel of the heat map are shown by the worst of them.",
        f"{_CONSOLE}/pooling.py",
        "np.maximum.reduceat(cells, starts, axis=0)",
        "np.minimum.reduceat(cells, starts, axis=0)",
        (
            f"{_TESTS}/test_columns.py::test_no_alarm_is_lost_when_windows_are_put_together",
            f"{_TESTS}/test_pages.py::test_drift_is_a_byte_a_cell_with_the_harmful_column_first",
        ),
    ),
    Mutation(
        "the-pages-show-the-newest-revision",
        "A report that comes after its own correction changes nothing.",
        f"{_CONSOLE}/drift_table.py",
        '        if known and self.table["revision"][row] > event.revision:\n            return\n',
        "",
        (f"{_TESTS}/test_record.py::test_the_newest_revision_of_a_window_stands",),
    ),
    Mutation(
        "whatever-is-written-is-text",
        "Names and reasons of strangers are text on every page.",
        f"{_CONSOLE}/html.py",
        "autoescape=True",
        "autoescape=False",
        (
            f"{_TESTS}/test_pages.py::test_hostile_names_and_reasons_are_text",
            f"{_TESTS}/test_commands.py::test_a_refusal_is_shown_with_what_was_written_under_a_new_key",
        ),
    ),
    Mutation(
        "a-repeat-has-its-key",
        "A command whose outcome nobody knows is offered again under the same key.",
        f"{_CONSOLE}/app.py",
        '({} if unknown else {"key": str(uuid.uuid4())})',
        '{"key": str(uuid.uuid4())}',
        (f"{_TESTS}/test_commands.py::test_an_outcome_that_nobody_knows_can_be_asked_for_again_under_the_same_key",),
    ),
    Mutation(
        "the-quiet-push-nobody-out",
        "The many windows after which nothing was done take no place of what was.",
        f"{_CONSOLE}/journal.py",
        '        entries = self._quiet if entry.tone == "quiet" else self._loud\n',
        "        entries = self._loud\n",
        (f"{_TESTS}/test_record.py::test_the_journal_keeps_the_newest_and_the_quiet_ones_push_nobody_out",),
    ),
    Mutation(
        "a-page-too-many-is-refused",
        "Only so many pages are kept up to date at once.",
        f"{_CONSOLE}/streams.py",
        "        if self.open >= self._at_once:\n            says",
        "        if self.open < 0:\n            says",
        (f"{_TESTS}/test_streams.py::test_one_more_than_there_may_be_is_told_so_and_one_that_is_left_makes_room",),
    ),
    Mutation(
        "no-harm-is-lost-in-a-block",
        "A block of the strip is the worst of the windows that it stands for.",
        f"{_CONSOLE}/pages/strip.py",
        "pooled(of.code[:, None], starts)[:, 0]",
        "of.code[starts]",
        (f"{_TESTS}/test_segments_and_strip.py::test_a_strip_of_many_windows_has_bounded_blocks_and_loses_no_harm",),
    ),
)
