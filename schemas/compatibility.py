"""May two versions of a message live together? Compares JSON Schemas, as a reader and a writer see them."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]

_TOLD: Final = frozenset(("$schema", "$id", "$defs", "$comment", "title", "description", "examples", "deprecated"))
"""For people, or a place to keep schemas: a change breaks nobody."""
_OWN_RULE: Final = frozenset(
    (
        *("type", "enum", "required", "properties", "items", "additionalProperties", "prefixItems", "allOf"),
        *("anyOf", "oneOf", "default"),
        "discriminator",  # names the property that tells variants apart; its values are the variants' `const`
    )
)
_ROOT: Final = "/"


def problems(released: Schema, current: Schema) -> list[str]:
    """What would break between a released schema and the current one, both ways; empty when nothing would.

    Reading old with new: nothing may have become required or narrower, changed its type or lost an allowed value.
    Reading new with old: what the old one requires must still be required, and nothing may be written that the old one
    would refuse. So a limit, a class of privacy or a unit may not change at all, and a keyword that is not known here
    counts as a limit. What may: a new optional field, and texts for people.
    """
    return sorted(set(_compare(released, current, released, current, "")))


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if _types(old) != _types(new):
        yield f"{at or _ROOT}: type {sorted(_types(old))} became {sorted(_types(new))}"
        return
    yield from _limits(old, new, at)
    yield from _required(old, new, at)
    yield from _properties(old, new, old_root, new_root, at)
    yield from _insides(old, new, old_root, new_root, at)
    yield from _in_order(old, new, old_root, new_root, at)
    yield from _variants(old, new, old_root, new_root, at)


def _limits(old: Schema, new: Schema, at: str) -> Iterator[str]:
    """Everything that narrows a value or says what it is: equal, or one side refuses or misreads the other's."""
    if set(old.get("enum", ())) != set(new.get("enum", ())):
        yield f"{at or _ROOT}: the list of allowed values changed"
    if _written(old.get("default")) != _written(new.get("default")):
        yield f"{at or _ROOT}: an absent value means another one"
    for word in sorted((set(old) | set(new)) - _TOLD - _OWN_RULE):
        if old.get(word) != new.get(word):
            yield f"{at or _ROOT}: {word} {old.get(word)} became {new.get(word)}"


def _required(old: Schema, new: Schema, at: str) -> Iterator[str]:
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in after - before:
        yield f"{at}/{name}: became required"
    for name in before - after:
        yield f"{at}/{name}: is no longer always written"


def _properties(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, inner in before.items():
        if name not in after:
            yield f"{at}/{name}: was removed"
        else:
            yield from _compare(inner, after[name], old_root, new_root, f"{at}/{name}")
    if _inside(old, "additionalProperties") is False:
        for name in after.keys() - before.keys():
            yield f"{at}/{name}: was added where old readers take nothing more"


def _insides(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    """Items of a list and values of a map: a schema, anything (True) or nothing (False)."""
    for part in ("items", "additionalProperties"):
        before, after = _inside(old, part), _inside(new, part)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _compare(before, after, old_root, new_root, f"{at}/*")
        elif before != after:
            yield f"{at or _ROOT}: {part} {_said(before)} became {_said(after)}"


def _in_order(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    for part in ("prefixItems", "allOf"):
        before, after = old.get(part, ()), new.get(part, ())
        if len(before) != len(after):
            yield f"{at or _ROOT}: {part} {len(before)} became {len(after)}"
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _compare(one, other, old_root, new_root, f"{at}/{number}")


def _variants(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> Iterator[str]:
    named_old, named_new = _branches(old, old_root), _branches(new, new_root)
    if set(named_old) != set(named_new):
        yield f"{at or _ROOT}: the variants changed: {sorted(set(named_old) ^ set(named_new))}"
    for name in set(named_old) & set(named_new):
        yield from _compare(named_old[name], named_new[name], old_root, new_root, f"{at}/{name}")


def _branches(schema: Schema, root: Schema) -> dict[str, Schema]:
    """The variants by name; of several with one name each is told apart by its number."""
    choices = schema.get("oneOf") or schema.get("anyOf") or ()
    found, seen = {}, Counter[str]()
    for choice in choices:
        inner = _resolved(choice, root)
        name = str(inner.get("title") or inner.get("format") or inner.get("type"))
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} {seen[name]}"] = inner
    return found


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema that a reference leads to; what stands beside the reference holds as well."""
    while "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = {**target, **{word: told for word, told in schema.items() if word != "$ref"}}
    return schema


def _inside(schema: Schema, part: str) -> Schema | bool:
    """What may stand inside; no word about it and an empty schema both mean anything."""
    told: Schema | bool = schema.get(part, True)
    return True if told == {} else told


def _said(inside: Schema | bool) -> str:  # noqa: FBT001 - what JSON Schema allows at this place
    return {True: "anything", False: "nothing"}[inside] if isinstance(inside, bool) else "a schema"


def _written(default: Any) -> Any:
    """A default as it travels: absent values are left out (`Message.to_json`), so one more of them is no change."""
    if isinstance(default, dict):
        return {name: _written(one) for name, one in default.items() if one is not None}
    return default


def _types(schema: Schema) -> set[str]:
    kind = schema.get("type", ())
    return {kind} if isinstance(kind, str) else set(kind)
