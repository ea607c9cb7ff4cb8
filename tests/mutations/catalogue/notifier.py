"""What people are told, once, and what must not leave."""

from tests.mutations.mutation import LIBRARY, Mutation, service

_NOTIFIER, _TESTS = service("notifier"), "tests/unit/notifier"

NOTIFIER = (
    Mutation(
        "told-is-told",
        "What was due once is not due again, whoever works it out and however often.",
        f"{_NOTIFIER}/due.py",
        "(one for one in found if not memory.told(one.id))",
        "(one for one in found)",
        (f"{_TESTS}/test_due.py::test_a_test_goes_to_each_rule_once_and_not_after_a_quarter_of_an_hour",),
    ),
    Mutation(
        "an-end-follows-its-beginning",
        "What late rows have taken back before anybody heard of it is told to nobody.",
        f"{_NOTIFIER}/due.py",
        "        if condition.withdrawn:\n            return\n",
        "",
        (f"{_TESTS}/test_due.py::test_an_incident_that_late_rows_took_back_is_told_to_those_alone_who_heard_of_it",),
    ),
    Mutation(
        "no-weeks-of-old-messages",
        "What ended long ago is in one summary.",
        f"{_NOTIFIER}/due.py",
        "(late if old else found).extend(messages)",
        "found.extend(messages)",
        (
            f"{_TESTS}/test_due.py::test_after_weeks_away_one_summary_stands_for_what_has_ended_and_what_goes_on_is_told",
            f"{_TESTS}/test_due.py::test_the_bound_of_age_is_what_it_says",
        ),
    ),
    Mutation(
        "a-summary-stands-for-what-it-covers",
        "What a summary told of is not told one by one later.",
        f"{_NOTIFIER}/memory.py",
        "(about.id, *event.covers)",
        "(about.id,)",
        (f"{_TESTS}/test_due.py::test_after_weeks_away_one_summary_stands_for_what_has_ended_and_what_goes_on_is_told",),
    ),
    Mutation(
        "a-new-rule-hears-of-nothing-old",
        "A rule hears of nothing that had ended before it was followed.",
        f"{_NOTIFIER}/due.py",
        "(condition.until is not None and condition.until < since)",
        "False",
        (f"{_TESTS}/test_due.py::test_what_had_ended_before_a_rule_was_followed_is_not_told_and_what_goes_on_is",),
    ),
    Mutation(
        "a-stall-lasts",
        "A service that is started again is no stall.",
        f"{_NOTIFIER}/observed.py",
        'trouble.kind == "gap" or now - since[place] >= self.stall',
        "True",
        (f"{_TESTS}/test_observed.py::test_a_restart_is_no_stall_and_what_lasts_is_told_once_until_it_is_over",),
    ),
    Mutation(
        "webhooks-are-signed",
        "The signature is of id, time and body.",
        f"{_NOTIFIER}/webhook.py",
        'f"{id}.{timestamp}.".encode() + body',
        "body",
        (f"{_TESTS}/test_sending.py::test_the_signature_is_that_of_the_standard",),
    ),
    Mutation(
        "redirects-are-not-followed",
        "A receiver cannot send the notifier to another address.",
        f"{_NOTIFIER}/webhook.py",
        "follow_redirects=False",
        "follow_redirects=True",
        (f"{_TESTS}/test_sending.py::test_what_a_receiver_answers_says_whether_it_is_sent_again",),
    ),
    Mutation(
        "an-attempt-has-an-end",
        "A receiver that does not answer is left.",
        f"{_NOTIFIER}/webhook.py",
        "asyncio.timeout(self._attempt_seconds)",
        "asyncio.timeout(None)",
        (f"{_TESTS}/test_sending.py::test_a_receiver_that_hangs_or_is_away_is_tried_again",),
    ),
    Mutation(
        "secrets-stay-in",
        "What apprise says of a failure is told without the parts of its URL.",
        f"{_NOTIFIER}/apprise_urls.py",
        '        text = text.replace(part, "…")\n',
        "        pass\n",
        (f"{_TESTS}/test_sending.py::test_apprise_says_why_without_what_is_secret",),
    ),
    Mutation(
        "reasons-are-one-line",
        "Names and reasons of strangers are text on one line in a message.",
        f"{_NOTIFIER}/wording.py",
        'clean = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)',
        "clean = text",
        (f"{_TESTS}/test_due.py::test_names_and_reasons_of_strangers_are_text_on_one_line",),
    ),
    Mutation(
        "no-password-in-the-archive",
        "A URL with a password in driftloop.toml is refused.",
        f"{LIBRARY}/project/notify_tables.py",
        "url.username is not None or url.password is not None",
        "False",
        ("tests/unit/project/test_notify.py::test_a_rule_that_is_wrong_is_told_with_its_line_and_what_to_do",),
    ),
)
