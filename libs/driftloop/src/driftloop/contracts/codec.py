"""Control plane: CloudEvents in the Kafka binding, binary mode. (Arrow batches: ``arrow_codec``.)"""

import uuid
from datetime import UTC, datetime

import msgspec

from driftloop.contracts import commands, events, notifications
from driftloop.contracts.events import Event
from driftloop.contracts.foreign_json import decoded
from driftloop.contracts.headers import CONTENT_TYPE, JSON, Headers, format_time, header, parse_time
from driftloop.contracts.meaning import impossible
from driftloop.contracts.values import Part, Time
from driftloop.errors import InvalidMessage

EVENT_TYPES: dict[str, type[Event]] = {
    cls.TYPE: cls
    for cls in (
        events.LakeCommitted,
        events.WindowSketched,
        events.DriftReported,
        events.IncidentReported,
        events.PerformanceReported,
        events.ChallengerMeasured,
        events.CanaryMeasured,
        events.DecisionMade,
        events.RetrainRequested,
        events.VersionSeen,
        events.TrainingStarted,
        events.TrainingCompleted,
        events.TrainingFailed,
        events.VersionReproduced,
        notifications.NotificationRuleSeen,
        notifications.NotificationDue,
        notifications.NotificationSettled,
        notifications.NotificationAsked,
        events.RedriveStarted,
        events.MessagesRedriven,
        events.RedriveEnded,
        commands.RegisterProject,
        commands.RegisterVersion,
        commands.WatchVersion,
        commands.RefuseRun,
        commands.PromoteVersion,
        commands.MoveAlias,
        commands.Recalibrate,
        commands.MoveCanary,
        commands.ApproveVersion,
        commands.RejectVersion,
        commands.DeleteVersion,
    )
}

# Ids that come from a cause: the same cause gives the same id, so a repeat is recognised.
_NAMESPACE = uuid.UUID("6f6b1a52-6d5c-5a0e-9c7e-0d8f6d5b7a11")


class Envelope(Part, frozen=True, kw_only=True):
    """The CloudEvents attributes of one event. ``subject`` is the model, stream or project it is about."""

    id: str
    type: str
    source: str  # driftloop/<service>
    time: Time
    subject: str
    traceparent: str | None = None


def caused_id(*cause: object) -> str:
    """A UUID named by what caused an event."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, cause))))


def envelope(event: Event, *, id: str, source: str, subject: str, time: datetime | None = None) -> Envelope:
    return Envelope(id=id, type=event.TYPE, source=source, subject=subject, time=time or datetime.now(UTC))


def encode_event(event: Event, about: Envelope) -> tuple[bytes, Headers]:
    """Value and headers of the message."""
    fields = {"ce_specversion": "1.0", "ce_id": about.id, "ce_type": about.type, "ce_source": about.source}
    fields |= {"ce_time": format_time(about.time), "ce_subject": about.subject, CONTENT_TYPE: JSON}
    if about.traceparent:
        fields["traceparent"] = about.traceparent
    return msgspec.json.encode(event), tuple((k, v.encode()) for k, v in fields.items())


def decode_envelope(headers: Headers) -> Envelope:
    """Raises InvalidMessage when an attribute is missing or unreadable."""

    def text(name: str) -> str:
        value = header(headers, name)
        if value is None:
            raise InvalidMessage(f"header {name} is missing")
        try:
            return value.decode()
        except UnicodeDecodeError as exc:
            raise InvalidMessage(f"header {name} is not UTF-8") from exc

    trace = header(headers, "traceparent")
    return Envelope(
        id=text("ce_id"),
        type=text("ce_type"),
        source=text("ce_source"),
        time=parse_time(text("ce_time")),
        subject=text("ce_subject"),
        traceparent=trace.decode(errors="replace") if trace else None,
    )


def decode_event(value: bytes | None, headers: Headers) -> tuple[Event, Envelope]:
    """Raises InvalidMessage for an unknown type, a missing field, a wrong type, or a value that cannot be (``contracts.meaning``);
    unknown fields are ignored."""
    about = decode_envelope(headers)
    cls = EVENT_TYPES.get(about.type)
    if cls is None:
        raise InvalidMessage(f"unknown event type {about.type!r}")
    if value is None:
        raise InvalidMessage(f"{about.type}: no value")
    event = decoded(value, cls, about.type)
    try:
        problem = impossible(event)
    except RecursionError as exc:
        raise InvalidMessage(f"{about.type}: nested too deep") from exc
    if problem is not None:
        raise InvalidMessage(f"{about.type}: {problem}")
    return event, about
