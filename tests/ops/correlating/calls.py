"""A small file of calls that we wrote, with what a dispatcher joined."""

from collections.abc import Iterable
from pathlib import Path

from connectors.file.mapping import Mapping
from ops.correlating.evaluating import Asked, Evaluation, evaluate
from streams import categories, gazetteer_files, territory, urgency
from streams.loading import read_yaml
from streams.normalise import NormaliseReference

MAPPING = Mapping.model_validate(
    {
        "name": "calls",
        "title": "Calls that we wrote",
        "unit": "calls",
        "clock": "records",
        "id": "id",
        "time": {"column": "at", "zone": "Europe/Warsaw"},
        "point": {"lat": "lat", "lon": "lon", "uncertainty_m": 50},
        "text": {"description": "text"},
        "category": {"column": "kind"},
    }
)
HEADER = "id,at,lat,lon,kind,text"


def files(folder: Path, rows: Iterable[str]) -> Path:
    """The rows as a file."""
    file = folder / "calls.csv"
    file.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    return file


def row(name: str, minute: int, *, metres: float = 0, kind: str = "traffic.collision", text: str = "") -> str:
    """A call so many minutes after six in the evening, so far north of the market of Kalisz."""
    at = f"2026-03-{1 + minute // 1440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:00"
    return f"{name},{at},{51.7611 + metres / 111_195:.6f},18.0910,{kind},{text}"


def places() -> NormaliseReference:
    """What normalise decides by."""
    file = Path(territory.__file__).parent / "defaults" / "territory.yaml"
    there = territory.load(read_yaml(file.read_text("utf-8"), str(file)), gazetteer_files.built_in(), str(file))
    return NormaliseReference(territory=there, catalogue=categories.built_in(), urgency=urgency.built_in())


def evaluated(file: Path, pairs: Iterable[tuple[str, str]], **changes: object) -> Evaluation:
    """The evaluation of a file."""
    asked = Asked(files=[(file, MAPPING)], pairs=list(pairs), resamples=5, **changes)  # type: ignore[arg-type]
    return evaluate(asked, categories.built_in(), places())
