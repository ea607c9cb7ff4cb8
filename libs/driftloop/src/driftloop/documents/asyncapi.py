"""The AsyncAPI document of the topics and events, generated: ``python -m driftloop.documents.asyncapi > docs/asyncapi.json``."""

import json
import sys
from typing import Any

import msgspec

from driftloop.contracts.codec import EVENT_TYPES
from driftloop.contracts.topics import CONTROL_TOPICS, Topic, stream_topics


def document() -> dict[str, Any]:
    """AsyncAPI 3.0: a channel per topic (``{stream}`` stands for a stream's name), a message per event type, JSON Schemas."""
    topics = (*stream_topics("{stream}"), *CONTROL_TOPICS)
    types = list(EVENT_TYPES.values())
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    messages = {
        cls.TYPE: {
            "name": cls.TYPE,
            "summary": " ".join((cls.__doc__ or "").split()),
            "contentType": "application/json",
            "headers": {"$ref": "#/components/schemas/CloudEventsHeaders"},
            "payload": schema,
        }
        for cls, schema in zip(types, schemas, strict=True)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "driftloop",
            "version": "0.1.0",
            "license": {"name": "Apache-2.0"},
            "description": "Topics and events of the loop. Generated from driftloop.contracts; do not edit.",
        },
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": _operations(topics),
        "components": {"messages": messages, "schemas": {**components, "CloudEventsHeaders": _HEADERS}},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": topic.name,
        "description": f"{topic.carries}. Key: {topic.key}.",
        "messages": {type_: {"$ref": f"#/components/messages/{type_}"} for type_ in topic.events},
        "bindings": {"kafka": {"partitions": topic.partitions, "topicConfiguration": topic.config}},
    }
    if "{stream}" in topic.name:
        channel["parameters"] = {"stream": {"description": "name of the stream, from driftloop.toml"}}
    return channel


def _operations(topics: tuple[Topic, ...]) -> dict[str, Any]:
    """By ``<who>.<send|receive>.<topic>``."""
    found = {}
    for topic in topics:
        channel = {"$ref": f"#/channels/{topic.name}"}
        for action, parties in (("send", topic.written_by), ("receive", topic.read_by)):
            for party in parties:
                found[f"{party}.{action}.{topic.name}"] = {"action": action, "channel": channel}
    return found


_HEADERS: dict[str, Any] = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_subject"],
    "properties": {
        **{f"ce_{name}": {"type": "string"} for name in ("specversion", "id", "type", "source", "subject")},
        "ce_time": {"type": "string", "format": "date-time"},
        "traceparent": {"type": "string"},
    },
}


def text() -> str:
    """The document as it is committed."""
    return json.dumps(document(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
