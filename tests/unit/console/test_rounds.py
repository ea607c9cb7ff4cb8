"""What services say together, for the loop that *Now* draws."""

from driftloop.client.samples import Sample, Samples
from driftloop.client.service_status import ServiceStatus
from driftloop.client.status_words import Seen
from driftloop_console.rounds import Progress, progress


def seen(instance: str, rows: float | None, behind: float = 0, *, state: str = "ready") -> tuple[ServiceStatus, Seen]:
    def told(total: float) -> Samples:
        place = {"topic": "t", "partition": instance}
        return Samples(
            {
                "driftloop_rows_total": [Sample({}, total)],
                "driftloop_end_offset": [Sample(place, 100 + behind)],
                "driftloop_durable_offset": [Sample(place, 100)],
            }
        )

    now = None if rows is None else told(rows)
    return ServiceStatus(instance=instance, url="", state=state, says={}), Seen(instance, "p", {}, told(0), now, 2.0)


def test_instances_of_a_service_are_one_station() -> None:
    told = [seen("ingest-0", 20, behind=3), seen("ingest-1", 10, behind=4), seen("predictor-0", None, state="down")]
    found = progress([status for status, _ in told], [one for _, one in told])
    assert found == (Progress("ingest", "p", 2, 2, 2, 15.0, 7), Progress("predictor", "p", 1, 0, 0, 0.0, 0))
