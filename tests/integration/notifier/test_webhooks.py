"""The notifier as a process: a real broker and store, a real receiver that checks each signature."""

import signal

import pytest
from tests.integration.notifier.conftest import KEY, House, Mailbox, StubService
from tests.support.receiver import Receiver
from tests.support.waiting import PATIENCE_SECONDS, wait_until

from driftloop.client.notifications import notifications, retry, send_test
from driftloop.contracts.events import TrainingFailed
from driftloop.contracts.topics import TRAINING_RUNS
from driftloop.errors import UserError


def rule(receiver: Receiver, more: str = "") -> str:
    return f'[[notify]]\nto = "{receiver.url}"\nsecret = "hooks"\n{more}'


def states(house: House) -> list[str]:
    """Of the project's messages; the record is shared with other tests."""
    return [one.state for one in notifications(house.to.topics, house.project)]


def test_an_incident_is_told_when_it_opens_and_when_it_is_over_by_a_signed_cloud_event(house: House, receiver: Receiver) -> None:
    house.register(rule(receiver))
    house.start()
    house.follows(1)
    house.incident("one", "opened")
    wait_until(lambda: len(receiver.told(house.project)) == 1, f"the beginning to arrive, see {house.log}")
    house.incident("one", "changed", severity=0.6, windows=3)
    house.incident("one", "closed", severity=0.6, windows=3)
    wait_until(lambda: len(receiver.told(house.project)) == 2, f"the end to arrive, see {house.log}")
    opened, closed = receiver.arrived()
    assert opened.signed
    assert closed.signed
    assert opened.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert opened.event | {"time": "", "data": {}} == {
        "specversion": "1.0",
        "id": opened.id,
        "source": "driftloop/notifier",
        "type": "driftloop.incident.opened.v1",
        "subject": house.project,
        "time": "",
        "datacontenttype": "application/json",
        "data": {},
    }
    assert opened.event["data"]["text"].startswith(f"{house.project}: distance drifted in 2 windows, by 0.40 of 1 at most")
    assert opened.event["data"]["link"] == f"http://console.example/drift?model={house.project}"
    assert closed.event["type"] == "driftloop.incident.closed.v1"
    assert closed.event["data"]["opening"] == opened.id


def test_a_receiver_that_fails_gets_the_same_message_again_and_one_that_hangs_holds_up_nobody_else(
    house: House, receiver: Receiver
) -> None:
    slow = Receiver(KEY)
    slow.go_on.clear()
    try:
        house.register(rule(receiver) + "\n" + rule(slow))
        house.start()
        house.follows(2)
        receiver.answers.extend([503, 429])
        house.incident("one", "opened")
        wait_until(lambda: len(receiver.told(house.project)) == 1, f"the message to arrive at the third attempt, see {house.log}")
        assert [call.code for call in receiver.calls] == [503, 429, 204]
        assert len({call.id for call in receiver.calls}) == 1
        assert all(call.signed for call in receiver.calls)
        assert slow.calls == []
        slow.go_on.set()
        wait_until(lambda: len(slow.told(house.project)) >= 1, f"the slow one to get it, too, see {house.log}")
        assert len({call.id for call in slow.calls}) == 1
    finally:
        slow.close()


@pytest.mark.parametrize("point", ["notifier.after-due", "notifier.before-settled"])
def test_a_kill_between_writing_down_sending_and_remembering_repeats_the_same_message_at_most(
    house: House, receiver: Receiver, point: str
) -> None:
    house.register(rule(receiver))
    house.start(crash=point)
    house.follows(1)
    house.incident("one", "opened")
    assert house.process is not None
    assert house.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    house.start()
    house.follows(1)
    house.incident("one", "closed")
    wait_until(lambda: any(type_.endswith("closed.v1") for type_, _ in receiver.told(house.project)), f"the end to arrive, see {house.log}")
    by_id = {call.id: call.event for call in receiver.arrived()}
    assert sorted(event["type"] for event in by_id.values()) == ["driftloop.incident.closed.v1", "driftloop.incident.opened.v1"]
    wait_until(lambda: states(house) == ["arrived", "arrived"], "both to be settled")
    known = len(receiver.calls)
    house.kill()
    house.start()
    house.follows(1)
    house.incident("two", "opened")
    wait_until(lambda: len(receiver.calls) > known, "the next incident")
    assert len({call.id for call in receiver.calls}) == 3, "nothing that was settled is sent again after a restart"


def test_what_is_refused_is_a_dead_letter_until_somebody_has_it_sent_again(house: House, receiver: Receiver) -> None:
    house.register(rule(receiver))
    house.start()
    house.follows(1)
    receiver.answers.append(400)
    house.incident("one", "opened")
    wait_until(lambda: states(house) == ["dead"], f"a dead letter, see {house.log}")
    (dead,) = notifications(house.to.topics, house.project)
    assert (dead.state, dead.problem) == ("dead", "127.0.0.1 answered 400 Bad Request")
    assert [one.id for one in retry(house.to, id=dead.id[:8], project=house.project)] == [dead.id]
    wait_until(lambda: len(receiver.told(house.project)) == 1, f"the message to arrive, see {house.log}")
    wait_until(lambda: states(house) == ["arrived"], "it to be remembered")
    assert receiver.arrived()[0].id == dead.id
    with pytest.raises(UserError, match="there are no dead letters"):
        retry(house.to, project=house.project)


def test_a_test_goes_to_each_rule_and_mail_goes_out_by_apprise(house: House, receiver: Receiver, mailbox: Mailbox) -> None:
    (house.secrets / "mail").write_text(f"mailto://127.0.0.1:{mailbox.port}?from=loop@example.com&to=anna@example.com&mode=insecure")
    house.register(rule(receiver) + '\n[[notify]]\napprise = "mail"\nevents = ["run-failed"]\n')
    house.start()
    house.follows(2)
    assert sorted((one.to, one.state) for one in send_test(house.to, project=house.project)) == [
        ("apprise:mail", "arrived"),
        (receiver.url, "arrived"),
    ]
    event = TrainingFailed(model=house.project, request_id="r", answers=("r",), reason="too few\nlabels")
    house.publish(TRAINING_RUNS, event, f"{house.project}-failed")
    wait_until(lambda: len(mailbox.letters) == 2, f"the mail to arrive, see {house.log}")
    text = mailbox.letters[1]
    assert f"{house.project}: a training run failed: too few labels" in text
    assert "look further: driftloop models runs" in text
    assert receiver.told(house.project)[0][0] == "driftloop.notification.test.v1"


def test_a_service_that_does_not_answer_is_a_stall_that_ends(house: House, receiver: Receiver) -> None:
    house.register(rule(receiver, 'events = ["stall", "gap"]\n'))
    service = StubService()
    house.start(SERVICES=f"ingest={service.url}", STALL_SECONDS="1")
    house.follows(1)
    try:
        wait_until(lambda: len(receiver.told(house.project)) == 1, f"the stall to be told, see {house.log}")
        service.gap = "shop.requests[0] begins at 7"
        wait_until(lambda: len(receiver.told(house.project)) == 2, f"the gap to be told, see {house.log}")
        service.gap, service.ready = None, True
        wait_until(lambda: len(receiver.told(house.project)) == 4, f"both to be over, see {house.log}")
    finally:
        service.close()
    assert [type_ for type_, _ in receiver.told(house.project)][:2] == ["driftloop.stall.opened.v1", "driftloop.gap.opened.v1"]
    assert "ingest-0: has stopped at a gap: shop.requests[0] begins at 7" in [text for _, text in receiver.told(house.project)]
