"""Pages of the handbook made from the settings' and the connectors' own models."""

import types
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from connectors.contract import Connector, SinkSettings, SourceSettings
from ops.attribute_docs import attribute_docs
from ops.settings import Settings

MADE: Final = "<!-- Made by `sztab generate`; change the code it comes from. -->\n"
LIMITS: Final = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")
SIGNS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def settings_page() -> str:
    """`settings.md`: every setting of `sztab.toml` with its default and what is allowed."""
    lines = [
        "# Settings",
        "",
        MADE,
        (
            "One file, `sztab.toml` (`--config`, else `SZTAB_CONFIG`, else the current folder); the environment stands "
            "over it: `SZTAB_KAFKA__WIDE=24` is `wide` of `[kafka]`, lists are JSON. Without a file the built-in "
            "example holds. `sztab check` explains every mistake at once. Relative paths start at the file's folder."
        ),
        "",
        "## Top of the file",
        "",
    ]
    fields = {name: field for name, field in Settings.model_fields.items() if not field.exclude}
    parts = {name: model for name, field in fields.items() if (model := _model(field.annotation)) is not None}
    lists = [name for name in fields if name in {"sources", "recipients"}]
    plain = {name: field for name, field in fields.items() if name not in parts and name not in lists}
    lines += _table(Settings, plain)
    for name, model in parts.items():
        many = get_origin(fields[name].annotation) is tuple
        heading = f"[[{name}]]" if many else f"[{name}]"
        lines += ["", f"## {heading}", "", _docs(Settings).get(name, ""), "", *_table(model, model.model_fields)]
    for name in lists:
        lines += ["", f"## [[{name}]]", "", _docs(Settings)[name], "", "See the page of the connectors."]
    return "\n".join(lines) + "\n"


def connectors_page(connectors: Mapping[str, Connector]) -> str:
    """`connectors.md`: what there is, what each brings or takes, its exemptions from the contract, its settings."""
    lines = ["# Connectors", "", MADE, "| name | what | source | sink | lane | brings |", "|---|---|---|---|---|---|"]
    for one in connectors.values():
        source = "pushes" if one.push else "reads" if one.source else "no"
        brings = ", ".join(payload.__name__ for payload in one.emits) or "-"
        lane = one.lane if one.push or one.source else "-"
        sink = "yes" if one.sink else "no"
        lines.append(f"| `{one.name}` | {one.title} | {source} | {sink} | {lane} | {brings} |")
    lines += _shared_settings(connectors.values())
    for one in connectors.values():
        shared = (
            {*SourceSettings.model_fields} if issubclass(one.settings, SourceSettings) else {*SinkSettings.model_fields}
        )
        own = {name: field for name, field in one.settings.model_fields.items() if _own(name, field, one, shared)}
        lines += ["", f"## {one.name}", "", f"{one.title}. For the partner: `connectors/{_folder(one)}/README.md`."]
        if own:
            lines += ["", *_table(one.settings, own)]
        for rule, reason in one.exempt.items():
            lines += ["", f"Exempt from the contract's rule `{rule}`: {reason}."]
    return "\n".join(lines) + "\n"


def _folder(connector: Connector) -> str:
    return connector.settings.__module__.split(".")[1]


def _own(name: str, field: FieldInfo, connector: Connector, shared: Iterable[str]) -> bool:
    if name not in shared:
        return True
    base = SourceSettings if issubclass(connector.settings, SourceSettings) else SinkSettings
    return bool(field.default != base.model_fields[name].default)


def _shared_settings(connectors: Iterable[Connector]) -> list[str]:
    lines = ["", "## Settings of every source", "", *_table(SourceSettings, SourceSettings.model_fields)]
    if any(issubclass(one.settings, SinkSettings) for one in connectors):
        lines += ["", "## Settings of every recipient", "", *_table(SinkSettings, SinkSettings.model_fields)]
    return lines


def _table(model: type[BaseModel], fields: Mapping[str, FieldInfo]) -> list[str]:
    docs = _docs(model)
    said = {name: docs.get(name) or field.description or "" for name, field in fields.items()}
    rows = [
        f"| `{name}` | {_allowed(field)} | {_cell(_default(field))} | {_cell(said[name])} |"
        for name, field in fields.items()
    ]
    return ["| setting | allowed | default | meaning |", "|---|---|---|---|", *rows]


def _docs(model: type[BaseModel]) -> dict[str, str]:
    return attribute_docs(model)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=False)
    if value is PydanticUndefined or field.is_required():
        return "must be given"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", (), {}):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    limits = list(_limits(field.metadata))
    return _cell(", ".join([_kind(field.annotation), *limits]))


def _limits(metadata: Iterable[Any]) -> Iterator[str]:
    for one in metadata:
        for name in LIMITS:
            value = getattr(one, name, None)
            if value is None:
                continue
            if name == "pattern":
                yield f"as `{value}`"
            elif name in SIGNS:
                yield f"{SIGNS[name]} {value:g}" if isinstance(value, float) else f"{SIGNS[name]} {value}"
            else:
                yield f"{'at least' if name == 'min_length' else 'at most'} {value} characters"


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return ", ".join([_kind(arguments[0]), *_limits(arguments[1:])])
    if origin is Literal:
        return ", ".join(f"`{one.value if isinstance(one, Enum) else one}`" for one in arguments)
    if origin in {Union, types.UnionType}:
        return _kind(next(one for one in arguments if one is not type(None)))
    if origin is tuple:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"table of {_kind(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{one.value}`" for one in annotation)
    names = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true or false",
        Path: "path",
        SecretStr: "secret text",
    }
    return names.get(annotation, getattr(annotation, "__name__", "text"))


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (model for argument in get_args(annotation) if (model := _model(argument)) is not None)
    return next(found, None)
