"""The notifier as a process: a real broker and store, a real receiver that checks each signature."""

from tests.integration.notifier.conftest import House
from tests.support.receiver import Receiver
from tests.support.waiting import wait_until


def rule(receiver: Receiver, more: str = "") -> str:
    return f'[[notify]]\nto = "{receiver.url}"\nsecret = "hooks"\n{more}'


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
