"""Profiles: which fields of a fact a recipient gets. What is not named is not sent.

A field is a dotted path: `fact.*` the change itself, `report.*` the report that caused it (the report as told and what
normalise decided, side by side), `summary.*` the incident afterwards, `change.*` what happened. A path may name a whole
part (`report.place`): then its public and operational fields go, never a sensitive or personal one. Those must be named
one by one, and personal ones travel sealed.
"""

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

from pydantic.fields import FieldInfo

from schemas.incident import Change, Fact, IncidentSummary
from schemas.model import Message, Privacy
from schemas.privacy import Sealed
from schemas.report import Report, ReportNormalised

Tree = dict[str, "Tree | None"]
"""Names to keep: None keeps the value, a tree goes on inside it (inside each element of a list)."""

_OPEN: Final = (Privacy.PUBLIC, Privacy.OPERATIONAL)
_ORDER: Final = tuple(Privacy)


class Leaf(NamedTuple):
    """One field that may be named: its path and privacy class."""

    path: str
    privacy: Privacy


class _Node(NamedTuple):
    """A part of the fact: what is below it, or None for a field; its privacy class."""

    below: "dict[str, _Node] | None"
    privacy: Privacy


@lru_cache(maxsize=1)
def _roots() -> dict[str, _Node]:
    changes = typing.get_args(typing.get_args(Change)[0])
    without = {"report"}
    return {
        "fact": _Node(_fields((Fact,), {"change", "summary"}), Privacy.OPERATIONAL),
        "report": _Node(_fields((Report, ReportNormalised), without), Privacy.OPERATIONAL),
        "summary": _Node(_fields((IncidentSummary,), set()), Privacy.OPERATIONAL),
        "change": _Node(_fields(changes, without), Privacy.OPERATIONAL),
    }


def _fields(models: Sequence[type[Message]], without: set[str]) -> dict[str, _Node]:
    """The fields of some models side by side; where two share a name, the stricter privacy class holds."""
    found: dict[str, _Node] = {}
    for model in models:
        for name, info in model.model_fields.items():
            if name in without:
                continue
            node = _Node(_below(info.annotation), _privacy(info))
            before = found.get(name)
            if before is not None:
                below = {**(before.below or {}), **(node.below or {})} or None
                node = _Node(below, max(before.privacy, node.privacy, key=_ORDER.index))
            found[name] = node
    return found


def _privacy(info: FieldInfo) -> Privacy:
    extra = info.json_schema_extra
    named = extra.get("x-privacy") if isinstance(extra, dict) else None
    return Privacy(str(named)) if named else Privacy.PUBLIC


def _below(annotation: Any) -> dict[str, _Node] | None:
    """The fields below a field that is a message, an optional message or a list of messages; else None."""
    if isinstance(annotation, type) and issubclass(annotation, Message) and annotation is not Sealed:
        return _fields((annotation,), set())
    if typing.get_origin(annotation) in {typing.Union, types.UnionType, tuple, Annotated}:
        return next((below for part in typing.get_args(annotation) if (below := _below(part))), None)
    return None


def leaves() -> tuple[Leaf, ...]:
    """Every field that a profile may name, with its privacy class; for the reference page and for tests."""
    return tuple(
        Leaf(path, privacy) for root, node in _roots().items() for path, privacy in _walk(root, node, everything=True)
    )


def expand(path: str) -> tuple[Leaf, ...]:
    """The fields that a path of a profile stands for. ValueError says what is wrong with the path and what fits."""
    parts = path.split(".")
    below: dict[str, _Node] | None = _roots()
    node: _Node | None = None
    for number, part in enumerate(parts):
        if not below or part not in below:
            allowed = ", ".join(sorted(below)) if below else "nothing below"
            raise ValueError(f"{path!r}: no {part!r} in {'.'.join(parts[:number]) or 'a fact'}; there is {allowed}")
        node = below[part]
        below = node.below
    if node is None or (len(parts) == 1):
        raise ValueError(f"{path!r}: a whole root is never sent; name its fields")
    return tuple(Leaf(name, privacy) for name, privacy in _walk(path, node, everything=False))


def _walk(path: str, node: _Node, *, everything: bool) -> Iterator[tuple[str, Privacy]]:
    if node.below is None:
        yield path, node.privacy
        return
    for name, inner in node.below.items():
        if everything or inner.privacy in _OPEN:
            yield from _walk(f"{path}.{name}", inner, everything=everything)


def compiled(paths: Sequence[str]) -> Tree:
    """The fields to keep, as a tree, in the order of the profile."""
    whole: Tree = {}
    for path in paths:
        for leaf in expand(path):
            at = whole
            *parents, last = leaf.path.split(".")
            for parent in parents:
                at = typing.cast("Tree", at.setdefault(parent, {}))
            at[last] = None
    return whole


def project(tree: Tree, data: Mapping[str, Any]) -> dict[str, Any]:
    """Only what the tree names, in its order; what is absent stays absent."""
    kept: dict[str, Any] = {}
    for name, below in tree.items():
        value = data.get(name)
        if below is not None:
            value = _inside(below, value)
        if value or (value is not None and not isinstance(value, (dict, list))):
            kept[name] = value
    return kept


def _inside(tree: Tree, value: Any) -> Any:
    if isinstance(value, dict):
        return project(tree, value)
    if isinstance(value, list):
        return [project(tree, one) for one in value if isinstance(one, dict)]
    return {}
