"""A predictor process and callers that mean no good: other sites' pages, half-sent requests, bodies made to burst."""

import resource

import httpx
from tests.integration.predictor.harness import World, eventually
from tests.support.strangers import all_hung_up, connections, statuses
from tests.unit.predictor.samples import request, store_sample_model

MIB = 1024 * 1024


def serving(stream: World):
    stream.add_version(store_sample_model(stream.store, stream.project))
    stream.promote(1)
    return stream.predictor()


def test_page_of_another_site_scores_and_reads_nothing(stream: World) -> None:
    with serving(stream) as predictor:
        eventually("the champion", lambda: predictor.status()["champion_version"] == 1)
        body = {"instances": [request(1)]}

        assert statuses(predictor.http, "POST", "/invocations?durable=1", json=body) == (421, 403, 200)
        assert statuses(predictor.http, "GET", "/status")[0] == 421
        assert predictor.http.post("/invocations", content=b'{"instances": [{}]}').status_code == 415
        rows = [r for record in [stream.account()] for r in record.rows.column("event_id").to_pylist()]
        assert rows == ["e1"]


def test_half_sent_requests_keep_nobody_out_and_are_hung_up_on(stream: World) -> None:
    with serving(stream) as predictor, connections(predictor.port, 1500) as held:
        assert [httpx.get(f"{predictor.url}/healthz", timeout=20).status_code for _ in range(20)] == [200] * 20
        all_hung_up(held, 40)


def test_body_of_the_allowed_size_does_not_burst_the_process(stream: World) -> None:
    """Repeated in each of its rows, the name would take a terabyte: the process is given three gigabytes and must not need them."""
    bomb = b'{"dataframe_split":{"columns":["' + b"x" * 2_000_000 + b'"],"data":[' + b",".join([b"[1]"] * 540_000) + b"]}}"
    assert len(bomb) < 4 * MIB
    json = {"content-type": "application/json"}
    with serving(stream) as predictor:
        eventually("the champion", lambda: predictor.status()["champion_version"] == 1)
        assert predictor.process is not None
        before = _peak_mib(predictor.process.pid)
        resource.prlimit(predictor.process.pid, resource.RLIMIT_AS, (6 * 1024 * MIB, 6 * 1024 * MIB))

        many = predictor.http.post("/invocations", content=bomb, headers=json)
        long = predictor.http.post("/invocations", content=bomb.replace(b"[1]," * 539_500, b""), headers=json)

        assert (many.status_code, long.status_code) == (413, 400)
        assert "540000 rows in one call" in many.json()["error"]
        assert _peak_mib(predictor.process.pid) - before < 500
        assert predictor.http.post("/invocations", json={"instances": [request(1)]}).status_code == 200


def _peak_mib(pid: int) -> float:
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
