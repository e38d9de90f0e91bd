"""The settings of an installation: `sztab.toml`, the environment (SZTAB_...) over it, read once by `load`.

Without any file the built-in example holds: everything on this machine, loopback, embedded broker, Kalisz.
`SZTAB_KAFKA__BOOTSTRAP_SERVERS` is `bootstrap_servers` of `[kafka]`; lists are given as JSON.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, PlainValidator, SkipValidation, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from connectors.contract import Connector
from ops import settings_parts as parts
from ops.mistakes import DELIMITER, PREFIX, ConfigurationMistakes, Mistake, from_validation, from_variable
from ops.settings_checks import contradictions
from streams.feed_health import Limits
from streams.incident_reference import DeadlinesShape, PracticeShape

FILE: Final = "sztab.toml"
EXAMPLE: Final = "kalisz.toml"
NOT_SETTINGS: Final = ("SZTAB_CONFIG", "SZTAB_TOKEN", "SZTAB_SHARED", "SZTAB_CACHE")
"""Variables with our prefix that are no settings: the configuration's path, the asker's token, the tests' data, the
broker's jars."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A configured source or recipient: its connector and the connector's own settings, already checked."""

    name: str
    connector: Connector
    settings: Any


def _instance(value: Any, info: ValidationInfo) -> Instance:
    """One `[[sources]]` or `[[recipients]]` block, checked by its connector's settings model."""
    if isinstance(value, Instance):
        return value
    known: Mapping[str, Connector] = info.data["connectors"]
    fitting = sorted(name for name, one in known.items() if _fits(one, info.field_name))
    if not isinstance(value, Mapping):
        raise PydanticCustomError("no_table", "must be a table")
    name = value.get("connector")
    if name not in fitting:
        wrong = PydanticCustomError(
            "connector", "not a connector for this (allowed: {allowed})", {"allowed": ", ".join(fitting)}
        )
        raise ValidationError.from_exception_data("instance", [{"type": wrong, "loc": ("connector",), "input": None}])
    connector = known[name]
    checked = _model(connector, info.field_name).model_validate(
        {key: one for key, one in value.items() if key != "connector"}
    )
    return Instance(str(getattr(checked, "name", name)), connector, checked)


def _model(connector: Connector, field: str | None) -> type[BaseModel]:
    """The settings of an instance: a connector with both halves has others for its sink."""
    return (connector.sink_settings or connector.settings) if field == "recipients" else connector.settings


def _fits(connector: Connector, field: str | None) -> bool:
    return connector.sink is not None if field == "recipients" else connector.source is not None or connector.push


def _registered() -> Mapping[str, Connector]:
    from connectors.registry import CONNECTORS

    return CONNECTORS


Instances = tuple[Annotated[Instance, PlainValidator(_instance)], ...]


class Settings(parts.Part):
    """Everything an installation is told. Paths are absolute once `load` has given it."""

    connectors: Annotated[SkipValidation[Mapping[str, Connector]], Field(default_factory=_registered, exclude=True)]
    """The connectors that sources and recipients may name; not a setting."""
    data_dir: Path = Path(".sztab")
    """Folder of journal, keys, broker, logs; relative to the configuration's folder."""
    node: parts.Name = "intake-1"
    """Name of this machine among the intake nodes; each has its own journal."""
    installation: parts.InstallationPart = parts.InstallationPart()
    """Who we are."""
    kafka: parts.KafkaPart = parts.KafkaPart()
    """The cluster."""
    intake: parts.IntakePart = parts.IntakePart()
    """HTTP intake and commands API."""
    journal: parts.JournalPart = parts.JournalPart()
    """The intake's journal."""
    console: parts.ConsolePart = parts.ConsolePart()
    """The page of the duty desk."""
    operation: parts.OperationPart = parts.OperationPart()
    """Logs, metrics, health, supervision."""
    streams: parts.StreamsPart = parts.StreamsPart()
    """The processors."""
    routing: parts.RoutingPart = parts.RoutingPart()
    """Who gets what."""
    territory: parts.TerritoryPart = parts.TerritoryPart()
    """Units and their places."""
    catalogue: parts.CataloguePart = parts.CataloguePart()
    """Categories of events."""
    gazetteer: parts.GazetteerPart = parts.GazetteerPart()
    """Names of places and outlines."""
    correlation: parts.CorrelationPart = parts.CorrelationPart()
    """Which reports belong together."""
    deadlines: DeadlinesShape = DeadlinesShape()
    """What must happen within which time."""
    practice: PracticeShape = PracticeShape()
    """Practice of the exchange with partners."""
    watch: Limits = Limits()
    """Is every feed alive?"""
    tally: parts.TallyPart = parts.TallyPart()
    """The derived figures."""
    ledger: parts.LedgerPart = parts.LedgerPart()
    """The ledger and its reconciler."""
    sources: Instances = ()
    """Who tells us things: `connector`, `name`, and the connector's own settings."""
    recipients: Instances = ()
    """Who is told: `connector`, `name`, and the connector's own settings."""
    accounts: tuple[parts.Account, ...] = ()
    """Who may use commands API and console; none: loopback only."""

    def topic(self, logical: str) -> str:
        """The full name of a topic on the cluster."""
        return self.installation.prefix + logical


class _Environment(Settings, BaseSettings):
    """The same fields, for reading them from the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=DELIMITER, case_sensitive=False)


def load(path: Path | None = None, connectors: Mapping[str, Connector] | None = None) -> Settings:
    """The settings of the file (None: SZTAB_CONFIG, else `sztab.toml` here, else the built-in example).

    ConfigurationMistakes names every mistake at once. Relative paths start at the file's folder.
    """
    file = find(path)
    told = _layered(file)
    known = connectors if connectors is not None else _registered()
    settings = _checked(told, known, str(file) if file else "the built-in example")
    return _absolute(settings, file.parent.resolve() if file else Path.cwd())


def find(path: Path | None = None) -> Path | None:
    """The file that `load` reads; None: the built-in example holds. Misconfigured when named and absent."""
    named = path or (Path(os.environ["SZTAB_CONFIG"]) if os.environ.get("SZTAB_CONFIG") else None)
    if named is not None and not named.is_file():
        raise ConfigurationMistakes([Mistake(str(named), "no such file")], "the command line")
    default = Path(FILE)
    return named or (default if default.is_file() else None)


def unused_variables() -> list[str]:
    """Variables that begin like ours and are no settings: most likely typing errors."""
    known = tuple(PREFIX + name.upper() for name in Settings.model_fields)
    return sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name not in NOT_SETTINGS and name.split(DELIMITER, 1)[0] not in known
    )


def _layered(file: Path | None) -> dict[str, Any]:
    text = file.read_bytes() if file else (files("ops") / "example" / EXAMPLE).read_bytes()
    where = str(file) if file else EXAMPLE
    try:
        told = tomllib.loads(text.decode())
    except UnicodeDecodeError:
        raise ConfigurationMistakes([Mistake("(whole file)", "not UTF-8")], where) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationMistakes([Mistake("(whole file)", f"not TOML: {error}")], where) from None
    try:
        environment = EnvSettingsSource(_Environment)()
    except SettingsError as error:
        name = next((one for one in Settings.model_fields if f'"{one}"' in str(error)), "")
        mistake = Mistake(f"{name}{from_variable((name,))}", "not JSON, which lists and tables are given as")
        raise ConfigurationMistakes([mistake], where) from None
    environment.pop("connectors", None)
    return _merged(told, environment)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        merged[name] = _merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


def _checked(told: dict[str, Any], known: Mapping[str, Connector], where: str) -> Settings:
    """The settings, or all mistakes: those of single values and those of values that contradict each other."""
    try:
        settings = Settings.model_validate({**told, "connectors": known})
        mistakes: list[Mistake] = []
    except ValidationError as error:
        mistakes = from_validation(error, Settings, _item_models(told, known))
        settings = Settings.model_validate({**_without(told, error), "connectors": known})
    broken = {mistake.path.split(" ")[0] for mistake in mistakes}
    mistakes += [one for one in contradictions(settings) if not any(one.path.startswith(path) for path in broken)]
    if mistakes:
        raise ConfigurationMistakes(mistakes, where)
    return settings


def _item_models(told: Mapping[str, Any], known: Mapping[str, Connector]) -> dict[tuple[str, int], type[BaseModel]]:
    found: dict[tuple[str, int], type[BaseModel]] = {}
    for field in ("sources", "recipients"):
        for index, item in enumerate(_list(told.get(field))):
            connector = known.get(str(item.get("connector"))) if isinstance(item, Mapping) else None
            if connector is not None:
                found[field, index] = _model(connector, field)
    return found


def _without(told: dict[str, Any], error: ValidationError) -> dict[str, Any]:
    """What was told, less what was refused, so that the rest can be checked too. A broken list is left out whole."""
    rest = dict(told)
    for one in error.errors(include_url=False, include_input=False):
        first, *more = one["loc"]
        part = rest.get(str(first))
        if len(more) == 1 and isinstance(part, Mapping):
            rest[str(first)] = {name: value for name, value in part.items() if name != more[0]}
        else:
            rest.pop(str(first), None)
    return rest


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


def _absolute(settings: Settings, folder: Path) -> Settings:
    changed: dict[str, Any] = _paths(settings, folder)
    for name in type(settings).model_fields:
        part = getattr(settings, name)
        if isinstance(part, BaseModel) and (paths := _paths(part, folder)):
            changed[name] = part.model_copy(update=paths)
    for name in ("sources", "recipients"):
        instances: tuple[Instance, ...] = getattr(settings, name)
        changed[name] = tuple(
            Instance(one.name, one.connector, one.settings.model_copy(update=_paths(one.settings, folder)))
            for one in instances
        )
    return settings.model_copy(update=changed)


def _paths(model: BaseModel, folder: Path) -> dict[str, Path]:
    fields: Mapping[str, FieldInfo] = type(model).model_fields
    values = {name: getattr(model, name) for name in fields}
    return {name: folder / value for name, value in values.items() if isinstance(value, Path)}
