"""How a letter goes out: signed, tried again with growing pauses, given up, kept, and sent again when somebody asks."""

import base64
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.support.receiver import Receiver
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.unit.notifier.world import HOOK, MODEL, World, incident, minutes

from driftloop.contracts.notify_rules import NotifyRule
from driftloop.errors import ConfigurationError
from driftloop_notifier import backoff
from driftloop_notifier.apprise_urls import AppriseUrls, redacted
from driftloop_notifier.deliveries import Deliveries, Outcome
from driftloop_notifier.memory import Letter
from driftloop_notifier.secrets import Secrets
from driftloop_notifier.sending import NotTaken, Refused
from driftloop_notifier.webhook import Webhooks, signed

KEY = b"a key of sixteen bytes or more"


def a_letter(**changes: object) -> Letter:
    world = World()
    world.follow()
    world.says(incident(), 1)
    (found,) = world.write(2)
    return Letter(found.id, found.event, datetime.now(UTC))._replace(**changes)


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    (tmp_path / "hooks").write_bytes(KEY + b"\n")
    return Secrets("DRIFTLOOP_NOTIFIER_SECRETS_DIR", tmp_path)


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the specification's reference libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', key)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_key_is_text_or_base64_and_long_enough(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "standard").write_text("whsec_" + base64.b64encode(KEY).decode())
    assert secrets.key("hooks") == secrets.key("standard") == KEY
    for name, text in (("short", "0123"), ("no-base64", "whsec_!!!"), ("empty", "\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigurationError, match=name):
            secrets.key(name)
    with pytest.raises(ConfigurationError, match=r"DRIFTLOOP_NOTIFIER_SECRETS_DIR: cannot read .*absent"):
        secrets.read("absent")
    with pytest.raises(ConfigurationError, match="no name of a secret"):
        secrets.read("../hooks")


@pytest.mark.parametrize(
    ("code", "fate"), [(204, None), (400, Refused), (410, Refused), (302, Refused), (408, NotTaken), (429, NotTaken), (503, NotTaken)]
)
def test_what_a_receiver_answers_says_whether_it_is_sent_again(code: int, fate: type[Exception] | None, secrets: Secrets) -> None:
    receiver = Receiver(KEY)
    try:
        receiver.answers.append(code)
        rule = NotifyRule(to=receiver.url, secret="hooks")
        if fate is None:
            Webhooks(secrets).send(a_letter(), rule)
        else:
            with pytest.raises(fate, match=f"127.0.0.1 answered {code}"):
                Webhooks(secrets).send(a_letter(), rule)
        assert [call.signed for call in receiver.calls] == [True], "a redirect is not followed"
    finally:
        receiver.close()


def test_a_receiver_that_hangs_or_is_away_is_tried_again(secrets: Secrets) -> None:
    receiver = Receiver()
    receiver.go_on.clear()
    rule = NotifyRule(to=receiver.url)
    answered = threading.Timer(30, receiver.go_on.set)  # long after the attempt has been left
    answered.start()
    with pytest.raises(NotTaken, match=r"127.0.0.1 gave no answer within 0.2 s"):
        Webhooks(secrets, attempt_seconds=0.2).send(a_letter(), rule)
    answered.cancel()
    receiver.close()
    with pytest.raises(NotTaken, match=r"127\.0\.0\.1: "):
        Webhooks(secrets).send(a_letter(), rule)
    with pytest.raises(NotTaken, match="cannot read"):
        Webhooks(secrets).send(a_letter(), NotifyRule(to=receiver.url, secret="absent"))


def test_pauses_double_up_to_a_bound_and_are_never_shorter_than_a_receiver_asks_for() -> None:
    assert [backoff.pause(n, 0, 1.0) for n in (1, 2, 3, 9, 10, 1000)] == [1, 2, 4, 256, 300, 300]
    assert backoff.pause(3, 0, 0.0) == 2
    assert backoff.pause(1, 90, 0.5) == 90


class Scripted:
    """Does what it is told, one attempt after another; then it takes everything."""

    def __init__(self, *script: Exception | Callable[[], None]) -> None:
        self.script, self.sent = list(script), list[str]()

    def send(self, letter: Letter, rule: NotifyRule) -> None:
        self.sent.append(letter.id)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            step()


def outcomes(deliveries: Deliveries, n: int) -> list[Outcome]:
    found: list[Outcome] = []

    def enough() -> bool:
        found.extend(deliveries.settled())
        return len(found) >= n

    wait_until(enough, f"{n} letters to be settled")
    return found


def test_a_letter_is_tried_again_until_it_is_taken_and_a_refused_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_SECONDS", 0.001)
    sender = Scripted(NotTaken("not now"), ValueError("a bug"), NotTaken("not now"))
    deliveries = Deliveries(lambda _: sender, retry_seconds=60, now=lambda: datetime.now(UTC))
    letter = a_letter()
    for _ in range(3):  # it is asked for again and again while it is on its way
        deliveries.take([(letter, HOOK.rule)])
    assert outcomes(deliveries, 1) == [Outcome(letter, 4, None)]
    sender.script = [Refused("answered 410")]
    again = letter._replace(round=1)
    deliveries.take([(again, HOOK.rule)])
    assert outcomes(deliveries, 1) == [Outcome(again, 1, "answered 410")]


def test_a_letter_is_given_up_when_its_time_is_over_and_is_tried_once_however_old_it_is() -> None:
    sender = Scripted(NotTaken("not now"))
    deliveries = Deliveries(lambda _: sender, retry_seconds=60, now=lambda: datetime.now(UTC))
    letter = a_letter(since=datetime.now(UTC) - timedelta(days=1))
    deliveries.take([(letter, HOOK.rule)])
    assert outcomes(deliveries, 1) == [Outcome(letter, 1, "not now; tried 1 times")]


def assert_set(event: threading.Event) -> None:
    assert event.wait(PATIENCE_SECONDS)


def test_a_slow_receiver_holds_up_nobody_else() -> None:
    hold, slow_id = threading.Event(), "slow"
    slow, quick = Scripted(lambda: assert_set(hold)), Scripted()
    deliveries = Deliveries(lambda rule: slow if rule.to == slow_id else quick, retry_seconds=60, now=lambda: datetime.now(UTC))
    letter = a_letter()
    other = letter._replace(id="other", due=msgspec.structs.replace(letter.due, rule="another"))
    deliveries.take([(letter, NotifyRule(to=slow_id)), (other, NotifyRule(to="quick"))])
    assert [outcome.letter.id for outcome in outcomes(deliveries, 1)] == ["other"]
    hold.set()
    assert [outcome.letter.id for outcome in outcomes(deliveries, 1)] == [letter.id]


def test_an_end_waits_for_its_beginning() -> None:
    sender = Scripted()
    deliveries = Deliveries(lambda _: sender, retry_seconds=60, now=lambda: datetime.now(UTC))
    begun = a_letter()
    ended = begun._replace(id="end", due=msgspec.structs.replace(begun.due, opening=begun.id))
    deliveries.take([(ended, HOOK.rule), (begun, HOOK.rule)])
    assert [outcome.letter.id for outcome in outcomes(deliveries, 1)] == [begun.id]
    deliveries.take([(ended, HOOK.rule)])
    assert [outcome.letter.id for outcome in outcomes(deliveries, 1)] == ["end"]
    assert sender.sent == [begun.id, "end"]


def test_dead_letters_are_kept_and_sent_again_when_somebody_asks() -> None:
    world = World()
    world.follow()
    world.says(incident(), 1)
    (due,) = world.write(2)
    world.settle(due.id, 3, "answered 503 for an hour")
    memory = world.folded().memory
    assert (list(memory.pending), list(memory.dead)) == ([], [due.id])
    world.ask("retry", 4, project="another")
    assert list(world.folded().memory.dead) == [due.id]
    world.ask("retry", 5, project=MODEL)
    memory = world.folded().memory
    assert (memory.pending[due.id].round, memory.pending[due.id].since, list(memory.dead)) == (1, minutes(5), [])
    world.settle(due.id, 6)
    memory = world.folded().memory
    assert (list(memory.pending), list(memory.dead)) == ([], [])


def test_apprise_says_why_without_what_is_secret(secrets: Secrets, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("mailto://anna:very-secret@127.0.0.1:9?from=loop@example.com&to=bea@example.com&mode=insecure")
    with pytest.raises(NotTaken, match="mail: ") as told:
        AppriseUrls(secrets).send(a_letter(), NotifyRule(apprise="mail"))
    assert "very-secret" not in str(told.value)
    (tmp_path / "unknown").write_text("nothing-that-anybody-knows://x")
    with pytest.raises(Refused, match="no URL that apprise knows"):
        AppriseUrls(secrets).send(a_letter(), NotifyRule(apprise="unknown"))
    assert redacted("slack://token-a said no to token-a/room", "slack://token-a/room") == "slack://… said no to …/…"


def test_an_attempt_that_hangs_is_left_and_not_made_twice_at_once(secrets: Secrets, tmp_path: Path) -> None:
    receiver = Receiver()
    receiver.go_on.clear()
    (tmp_path / "hang").write_text(receiver.url.replace("http", "json") + "?rto=600")
    sender = AppriseUrls(secrets, attempt_seconds=0.3)
    with pytest.raises(NotTaken, match="no answer within"):
        sender.send(a_letter(), NotifyRule(apprise="hang"))
    with pytest.raises(NotTaken, match="has not ended yet"):
        sender.send(a_letter(), NotifyRule(apprise="hang"))
    receiver.close()
