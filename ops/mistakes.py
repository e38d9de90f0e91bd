"""Mistakes of a configuration: all of them at once, each with its path, what is wrong, and what is allowed there."""

import difflib
import os
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import Code, Misconfigured

Location = tuple[int | str, ...]

PREFIX: Final = "SZTAB_"
DELIMITER: Final = "__"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `path` as in `sources[1].token_sha256`; `allowed` is empty where `wrong` says it all."""

    path: str
    wrong: str
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}: {self.wrong}" + (f" (allowed: {', '.join(self.allowed)})" if self.allowed else "")


class ConfigurationMistakes(Misconfigured):
    """Everything that is wrong with a configuration; nothing starts."""

    def __init__(self, mistakes: Sequence[Mistake], where: str) -> None:
        many = f"{len(mistakes)} mistakes" if len(mistakes) > 1 else "1 mistake"
        lines = "".join(f"\n  {mistake}" for mistake in mistakes)
        super().__init__(Code.CONFIGURATION_INVALID, f"{many} in {where}{lines}")
        self.mistakes: Final = tuple(mistakes)


def dotted(location: Location) -> str:
    """`("sources", 1, "name")` as `sources[1].name`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "(whole file)"


def from_variable(location: Location) -> str:
    """In brackets the environment's variable that a place was given by; empty when it stands in the file."""
    names = (PREFIX + DELIMITER.join(str(part).upper() for part in location[:length]) for length in (2, 1))
    found = next((name for name in names if name in os.environ), None)
    return f" (from the environment: {found})" if found else ""


def from_validation(
    error: ValidationError, root: type[BaseModel], items: Mapping[tuple[str, int], type[BaseModel]]
) -> list[Mistake]:
    """Mistakes of a refused validation. `items` are the models of list items that the annotation does not tell."""
    found = error.errors(include_url=False, include_input=False)
    return [_mistake(one, root, items) for one in found]


def _mistake(one: ErrorDetails, root: type[BaseModel], items: Mapping[tuple[str, int], type[BaseModel]]) -> Mistake:
    location, kind, context = one["loc"], one["type"], one.get("ctx", {})
    path = dotted(location)
    path += from_variable(location)
    if kind == "extra_forbidden":
        names = _names(_model_at(location[:-1], root, items))
        near = difflib.get_close_matches(str(location[-1]), names, n=1)
        return Mistake(path, "no such setting" + (f", did you mean {near[0]}?" if near else ""), tuple(names))
    if kind == "missing":
        return Mistake(path, "must be given")
    if kind in {"literal_error", "enum"}:
        return Mistake(path, "not a known value", (str(context["expected"]).replace(" or ", ", "),))
    if kind == "string_pattern_mismatch":
        return Mistake(path, "not in the expected form", (str(context["pattern"]),))
    return Mistake(path, one["msg"].removeprefix("Value error, "))


def _names(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    return sorted(name for name, field in model.model_fields.items() if not field.exclude)


def _model_at(
    location: Location, root: type[BaseModel], items: Mapping[tuple[str, int], type[BaseModel]]
) -> type[BaseModel] | None:
    model: type[BaseModel] | None = root
    rest = location
    if len(location) >= 2 and isinstance(location[0], str) and isinstance(location[1], int):
        item = items.get((location[0], location[1]))
        if item is not None:
            model, rest = item, location[2:]
    for part in rest:
        if model is None:
            return None
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        model = next(_models_in(field.annotation), None) if field else None
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return iter((annotation,))
    if get_origin(annotation) in {Union, types.UnionType, tuple, list, dict} or get_args(annotation):
        return (model for argument in get_args(annotation) for model in _models_in(argument))
    return iter(())
