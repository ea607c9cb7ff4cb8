"""The flights as applications send them, row by row, and as the messages that a predictor makes of them."""

from collections.abc import Callable

from bench.flights import FlightsModel, as_json_rows, flights_project, scored_flights
from bench.inference_messages import InferenceWriter
from driftloop.adapters.kafka import Producer

Fill = Callable[[Producer, str], None]  # everything, to a topic


def fills(flights: FlightsModel, project: str, n: int, partitions: int) -> tuple[Fill, Fill]:
    """Of the first ``n`` rows: as JSON requests, and as inferences."""
    rows, lines = scored_flights(flights, flights_project(project), n), as_json_rows(flights.rows.slice(0, n))

    def send_lines(producer: Producer, topic: str) -> None:
        for at, line in enumerate(lines):
            producer.send(topic, line, partition=at % partitions)
        producer.flush()

    def send_messages(producer: Producer, topic: str) -> None:
        InferenceWriter(producer, topic, partitions).send(rows)

    return send_lines, send_messages
