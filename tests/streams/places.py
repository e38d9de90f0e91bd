"""References, records and a state for the tests of normalise, route and watch."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from schemas.model import Message
from schemas.report import Report
from schemas.topics import POLICE
from schemas.wire import record
from streams import categories, gazetteer_files, territory, urgency
from streams.contract import Outcome, Processor, Record
from streams.loading import read_yaml
from streams.normalise import NormaliseReference, SourceRule
from tests.schemas import samples

AT_MS = 1_771_093_805_000
KALISZ = {"lat": 51.7612, "lon": 18.0910}


@lru_cache(maxsize=1)
def reference() -> NormaliseReference:
    """The built-in data: Kalisz and its county."""
    return NormaliseReference(
        territory=territory.load(default_territory(), gazetteer_files.built_in()),
        catalogue=categories.built_in(),
        urgency=urgency.built_in(),
        sources={"cpr": SourceRule(mapping="cpr")},
        installation="kalisz",
    )


def default_territory() -> Any:
    """The territory that holds where an installation names no file."""
    return read_yaml((files("streams") / "defaults" / "territory.yaml").read_text(encoding="utf-8"), "territory.yaml")


def two_units() -> NormaliseReference:
    """City and county under two units, neighbours of each other, with a third one nobody has an outline of."""
    data = {
        "units": [
            {"name": "city", "teryt": ["3061"], "neighbours": ["county", "far"]},
            {"name": "county", "teryt": ["3007"], "neighbours": ["city"]},
            {"name": "far", "teryt": ["3020"]},
            {"name": "foreign", "teryt": [], "clock": "records"},
        ],
        "default": "city",
    }
    one = reference()
    return NormaliseReference(
        territory=territory.load(data, one.territory.gazetteer),
        catalogue=one.catalogue,
        urgency=one.urgency,
        sources=one.sources,
    )


def report(told: Mapping[str, Any] | None = None, **changes: Any) -> Report:
    """The complete CPR form of the schemas' tests, with changes to what was told or to the report itself."""
    one = samples.report()
    values = one.told.model_dump() | dict(told or {})
    return samples.report(**(changes | {"told": values}))


def on_topic(payload: Message, topic: str = POLICE, **extensions: str) -> Record:
    """A record as the publisher writes it."""
    value, headers = record(payload, id="e-1", source="/sztab/test/intake", extensions=extensions)
    return Record(topic, 0, 0, b"key", value, headers, AT_MS)


class Memory:
    """A state as the shell keeps it: every value goes through the changelog's bytes."""

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.values: dict[str, bytes] = {}

    def get(self, key: str, /) -> Any:
        """The value as it comes back after a restart."""
        raw = self.values.get(key)
        return None if raw is None else self.processor.decode(raw)

    def step(self, incoming: Record) -> Outcome:
        """Step and keep what changed."""
        outcome = self.processor.step(self, incoming)
        for key, value in outcome.puts.items():
            self.values[key] = self.processor.encode(value)
        for key in outcome.deletes:
            self.values.pop(key, None)
        return outcome
