"""Documents made from the models and the catalogue: JSON Schema of every payload, AsyncAPI 3 of every topic.

`files()` gives name -> content for `schemas/generated/`; `sztab generate` writes them, `make check` holds them current.
"""

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from schemas.model import Message
from schemas.topics import Topic, catalogue, settings
from schemas.wire import PAYLOADS, SCHEMA_VERSION, type_name

EXAMPLE_RECIPIENT = "example"
TITLE = "Sztab"


def json_schema(model: type[Message]) -> dict[str, Any]:
    """JSON Schema 2020-12 of one payload as it travels."""
    schema = model.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:sztab:{type_name(model)}", **schema}


def asyncapi(version: str) -> dict[str, Any]:
    """AsyncAPI 3.0 of an installation with one recipient named `example`; prefix and servers are the installation's."""
    topics = catalogue([EXAMPLE_RECIPIENT])
    _, shared = models_json_schema(
        [(model, "serialization") for model in PAYLOADS], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": TITLE,
            "version": version,
            "description": "Topics of the hub. CloudEvents 1.0, Kafka binary mode. Names stand behind the prefix.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_key(topic.name): _channel(topic) for topic in topics.values() if topic.payloads},
        "operations": _operations(topics),
        "components": {
            "messages": {model.__name__: _message(model) for model in PAYLOADS},
            "messageTraits": {"cloudevent": {"headers": _header_schema()}},
            "schemas": _plain_discriminators(shared["$defs"]),
        },
    }


def files(version: str) -> dict[str, str]:
    """Every generated document of `schemas/generated/`, by file name."""
    made = {f"{model.__name__}.v{SCHEMA_VERSION}.json": json_schema(model) for model in PAYLOADS}
    made["asyncapi.json"] = asyncapi(version)
    return {
        name: json.dumps(content, indent=1, ensure_ascii=False, sort_keys=False) + "\n"
        for name, content in made.items()
    }


def _plain_discriminators(node: Any) -> Any:
    """AsyncAPI names the deciding property only, where OpenAPI (and pydantic) give an object."""
    if isinstance(node, list):
        return [_plain_discriminators(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: _plain_discriminators(item) for name, item in node.items()}
    if isinstance(made.get("discriminator"), dict):
        made["discriminator"] = made["discriminator"]["propertyName"]
    return made


def _key(name: str) -> str:
    return name.replace(".", "_").replace("-", "_")


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"Key: {topic.key}. Privacy: {topic.privacy.value}."
        + (f" {topic.retention.base}." if topic.retention else ""),
        "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"} for model in topic.payloads},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": 3,
                "topicConfiguration": _kafka_settings(topic),
                "bindingVersion": "0.5.0",
            }
        },
    }


def _kafka_settings(topic: Topic) -> dict[str, Any]:
    chosen = settings(topic, replicas=3)
    binding: dict[str, Any] = {"cleanup.policy": chosen["cleanup.policy"].split(",")}
    if "retention.ms" in chosen:
        binding["retention.ms"] = int(chosen["retention.ms"])
    if "delete.retention.ms" in chosen:
        binding["delete.retention.ms"] = int(chosen["delete.retention.ms"])
    binding["max.message.bytes"] = int(chosen["max.message.bytes"])
    return binding


def _operations(topics: dict[str, Topic]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for topic in topics.values():
        if not topic.payloads:
            continue
        reference = {"$ref": f"#/channels/{_key(topic.name)}"}
        for who, action in [(w, "send") for w in topic.writers] + [(r, "receive") for r in topic.readers]:
            name = f"{_key(who.replace(':', '_'))}_{action}_{_key(topic.name)}"
            made[name] = {"action": action, "channel": reference, "title": f"{who} {action}s {topic.name}"}
    return made


def _message(model: type[Message]) -> dict[str, Any]:
    return {
        "name": type_name(model),
        "title": model.__name__,
        "summary": (model.__doc__ or "").split("\n", 1)[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
    }


def _header_schema() -> dict[str, Any]:
    required = ("ce_specversion", "ce_id", "ce_type", "ce_source", "content-type")
    optional = ("ce_time", "ce_subject", "ce_schemaversion", "ce_mode", "ce_traceparent")
    return {
        "type": "object",
        "required": list(required),
        "properties": {name: {"type": "string"} for name in required + optional},
    }
