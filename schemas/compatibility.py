"""May two versions of a message live together? Compares JSON Schemas, as a reader and a writer see them."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def problems(released: Schema, current: Schema) -> list[str]:
    """What would break between a released schema and the current one, both ways; empty when nothing would.

    Reading old with new: nothing may have become required, changed its type or lost an allowed value. Reading new with
    old: what the old one requires must still be required, and no value outside its list may be written.
    """
    return sorted(set(_compare(released, current, released, current, "")))


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if _types(old) != _types(new):
        yield f"{at or '/'}: type {sorted(_types(old))} became {sorted(_types(new))}"
        return
    yield from _required(old, new, at)
    if set(old.get("enum", ())) != set(new.get("enum", ())):
        yield f"{at or '/'}: the list of allowed values changed"
    for name, inner in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{at}/{name}: was removed"
        else:
            yield from _compare(inner, new["properties"][name], old_root, new_root, f"{at}/{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from _compare(old[part], new[part], old_root, new_root, f"{at}/*")
    yield from _variants(old, new, old_root, new_root, at)


def _variants(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    named_old, named_new = _branches(old, old_root), _branches(new, new_root)
    if set(named_old) != set(named_new):
        yield f"{at or '/'}: the variants changed: {sorted(set(named_old) ^ set(named_new))}"
    for name in set(named_old) & set(named_new):
        yield from _compare(named_old[name], named_new[name], old_root, new_root, f"{at}/{name}")


def _required(old: Schema, new: Schema, at: str) -> Iterator[str]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in after - before:
        yield f"{at}/{name}: became required"
    for name in before - after:
        yield f"{at}/{name}: is no longer always written"


def _branches(schema: Schema, root: Schema) -> dict[str, Schema]:
    choices = schema.get("oneOf") or schema.get("anyOf") or ()
    found = {}
    for choice in choices:
        inner = _resolved(choice, root)
        found[str(inner.get("title") or inner.get("format") or inner.get("type"))] = inner
    return found


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def _types(schema: Schema) -> set[str]:
    kind = schema.get("type", ())
    return {kind} if isinstance(kind, str) else set(kind)
