"""`driftloop lake accept-gap`: go on without messages that are gone for good."""

import getpass
import re
from datetime import UTC, datetime

import click
from rich.console import Console

from driftloop.adapters.kafka import AssignedConsumer, topic_id
from driftloop.adapters.s3 import MinioObjectStore
from driftloop.cli.context import StackInfo, current_stack
from driftloop.cli.errors import one_line_errors
from driftloop.cli.lake_tables import stream_tables
from driftloop.cli.output import emit
from driftloop.contracts import topics
from driftloop.contracts.gaps import MAX_WORDS, AcceptedGap
from driftloop.errors import Fenced, UserError
from driftloop.lake.gaps import accept_gap
from driftloop.ports import TopicPartition

_ATTEMPTS = 5


@click.command("accept-gap")
@click.argument("stream")
@click.argument("where", metavar="TOPIC-PARTITION")
@click.argument("start", type=click.IntRange(0))
@click.argument("end", type=click.IntRange(1))
@click.option("--reason", required=True, help="Why they are missing; it stays on the record.")
@click.option("--by", default=getpass.getuser, show_default="your user name", help="Who takes it upon themselves.")
@click.option("--json", "as_json", is_flag=True)
@one_line_errors
def accept_gap_command(stream: str, where: str, start: int, end: int, reason: str, by: str, as_json: bool) -> None:
    """Put on record that the offsets from START to before END of TOPIC-PARTITION are missing, so that ingest goes on after them.

    TOPIC is STREAM.requests, STREAM.inferences or STREAM.labels. A service that stops at a gap names the offsets. The rows of
    these offsets are in no table and not in quarantine: this record is what is left of them.
    """
    stack = current_stack()
    inferences, labels = stream_tables(stack.s3, stream)
    topic, partition = _place(stream, where)
    table, store = labels if topic == topics.labels(stream) else inferences, MinioObjectStore(stack.s3)
    identity = _checked(stack, topic, partition, start, end)
    gap = AcceptedGap(
        topic=topic,
        topic_id=identity,
        partition=partition,
        start=start,
        end=end,
        reason=_words("reason", reason, MAX_WORDS),
        by=_words("by", by, 200),
        at=datetime.now(UTC),
    )
    for attempt in range(_ATTEMPTS):
        try:
            done = accept_gap(table, store, gap)
            break
        except Fenced as exc:
            if attempt == _ATTEMPTS - 1:
                raise UserError(f"ingest is at work on {where}, so nothing is missing there yet: {exc}") from exc
    emit(done, as_json, lambda console: _show(console, done))


def _place(stream: str, where: str) -> tuple[str, int]:
    match = re.fullmatch(r"(?P<topic>.+)-(?P<partition>\d{1,6})", where)
    known = (topics.requests(stream), topics.inferences(stream), topics.labels(stream))
    if match is None or match["topic"] not in known:
        raise UserError(f"{where[:80]!r} is no partition of a data topic; one looks like {known[2]}-0 (topics: {', '.join(known)})")
    return match["topic"], int(match["partition"])


def _checked(stack: StackInfo, topic: str, partition: int, start: int, end: int) -> str:
    """The topic's id. Raises UserError for offsets that the topic has not come to."""
    if start >= end:
        raise UserError(f"offsets {start} to {end} are none: the second is the first that is there again")
    tp = TopicPartition(topic, partition)
    consumer = AssignedConsumer(stack.kafka_bootstrap, [tp], client_id="driftloop-accept-gap")
    try:
        last = consumer.end_offsets([tp])[tp]
    finally:
        consumer.close()
    if end > last:
        raise UserError(f"{topic}-{partition} ends at offset {last}: what is to come cannot be missing yet")
    return topic_id(stack.kafka_bootstrap, topic)


def _words(name: str, text: str, most: int) -> str:
    if not 0 < len(text.strip()) <= most:
        raise UserError(f"--{name} takes 1 to {most} characters")
    return text.strip()


def _show(console: Console, gap: AcceptedGap) -> None:
    said = f"{gap.topic}-{gap.partition}: offsets {gap.start} to {gap.end - 1} are missing, accepted by {gap.by}: {gap.reason}"
    console.print(said, highlight=False, soft_wrap=True)
