"""`sztab bench correlate`: reports per second through the pure step of the incidents, among so many open ones.

State stays as it is while the step is measured, so that each report meets the same number of open incidents.
"""

import gc
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
import orjson

from ops.bench.figures import percentiles
from ops.compiled import is_compiled, refuse_other_sources
from ops.correlating.memory import INCIDENT, Memory
from schemas.place import Obtained, Place, Position
from schemas.report import DocumentRef, Report, ReportNormalised, Telling, Urgency
from schemas.topics import FACTS, LOG
from schemas.wire import derived_id, record
from streams import incident_reference, incidents
from streams.categories import Catalogue, built_in
from streams.contract import Processor, Record
from streams.first_look import METRES_PER_DEGREE

OPEN: Final = (200, 5_000)
AIMS: Final = {200: (5_000, 0.5), 5_000: (1_000, None)}
"""Reports per second, and p99 in ms, that are aimed at with so many open incidents."""
WARM: Final = 500
UNIT: Final = "bench"
BEGAN: Final = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
CORNER: Final = (51.5, 16.5)
CITY_KM: Final = 11.0
"""Side of the square in which things happen: about the area of Kalisz."""
CITY_OPEN: Final = 500
"""With more open incidents than that the territory is a voivodeship: half in towns of a city's size, half between."""
TOWN_OPEN: Final = 200
VOIVODESHIP_KM: Final = 170.0
AGAIN: Final = 0.4
"""Share of the reports that speak of an open incident."""
WHAT: Final = (
    *("drzewo", "gałąź", "słup energetyczny", "znak drogowy", "rusztowanie", "dwa samochody", "autobus i rower", "tir"),
    *("śmietnik", "balkon", "piwnica", "komin", "garaż", "pies bez kagańca", "starszy mężczyzna", "młoda kobieta"),
    *("grupa nastolatków", "sąsiad z góry", "kierowca busa", "dziecko w wózku", "rura z wodą", "szyba wystawowa"),
)
DOES: Final = (
    *("leży na jezdni", "pali się", "dymi od kilku minut", "zderzyły się", "przewrócił się", "zalewa chodnik"),
    *("krzyczy i rzuca butelkami", "nie odpowiada", "blokuje przejazd", "jedzie pod prąd", "krwawi z głowy"),
    *("zwisa nad chodnikiem", "hałasuje od godziny", "wybija okna", "stoi w poprzek", "grozi zawaleniem"),
)
WHERE: Final = (
    *("przy moście", "za przystankiem", "obok szkoły", "pod blokiem", "na rogu", "przed sklepem", "na parkingu"),
    *("w parku", "przy torach", "na rondzie", "przy kościele", "w bramie", "na klatce schodowej", "koło apteki"),
)
STREETS: Final = (
    *("Górnośląska", "Wrocławska", "Łódzka", "Częstochowska", "Poznańska", "Polna", "Majkowska", "Złota", "Lipowa"),
    *("Śródmiejska", "Babina", "Fabryczna", "Harcerska", "Kopernika", "Legionów", "Mickiewicza", "Niecała", "Ogrodowa"),
    *("Parkowa", "Piskorzewska", "Rumińskiego", "Serbinowska", "Skarszewska", "Stawiszyńska", "Szewska", "Targowa"),
    *("Torowa", "Tuwima", "Widok", "Winiarska", "Wodna", "Wyspiańskiego", "Zamkowa", "Żwirki", "Asnyka", "Bankowa"),
)
SOURCES: Final = ("cpr", "psp", "prm", "desk", "alarm")
MINUTES: Final = 30.0
"""Over which the open incidents came."""
LATER_SECONDS: Final = 60.0
"""Over which the reports come that are measured."""


@dataclass(frozen=True, slots=True)
class Matter:
    """Something that happens: where (kilometres east and north of the corner), what kind, how it is told."""

    east_km: float
    north_km: float
    category: str
    what: str
    where: str
    street: str


class Storm:
    """Matters and what is told of them; the same seed gives the same."""

    def __init__(self, catalogue: Catalogue, open_incidents: int, seed: int = 1) -> None:
        self._dice: Final = random.Random(seed)
        self._kinds: Final = sorted(code for code, one in catalogue.categories.items() if one.group != "unknown")
        self._told = 0
        self.now = BEGAN
        self._catalogue: Final = catalogue
        count = open_incidents // (2 * TOWN_OPEN) if open_incidents > CITY_OPEN else 0
        self._towns: Final = [self._anywhere(VOIVODESHIP_KM) for _ in range(count)]

    def matter(self) -> Matter:
        """Another one, anywhere in the territory."""
        dice = self._dice
        east, north = self._anywhere(CITY_KM)
        if self._towns and dice.random() < 0.5:
            town = dice.choice(self._towns)
            east, north = town[0] + east, town[1] + north
        elif self._towns:
            east, north = self._anywhere(VOIVODESHIP_KM)
        street = f"{dice.choice(STREETS)} {dice.randint(1, 200)}"
        return Matter(east, north, dice.choice(self._kinds), dice.choice(WHAT), dice.choice(WHERE), street)

    def _anywhere(self, side_km: float) -> tuple[float, float]:
        return self._dice.uniform(0, side_km), self._dice.uniform(0, side_km)

    def told(self, one: Matter, seconds: float) -> Record:
        """A report of it, as its territory's log has it: some metres off, in other words, after so many seconds."""
        self._told += 1
        dice, at = self._dice, BEGAN + timedelta(seconds=seconds)
        lat = CORNER[0] + (1000 * one.north_km + dice.gauss(0, 40)) / METRES_PER_DEGREE
        lon = CORNER[1] + (1000 * one.east_km + dice.gauss(0, 40)) / 68_800
        position = Position(lat=lat, lon=lon, uncertainty_m=50, obtained=Obtained.MEASURED)
        where = Place(position=position, text=one.street)
        names = {name: derived_id(name, "bench", self._told) for name in ("report", "thread", "document")}
        system = dice.choice(SOURCES)
        told = ReportNormalised(
            report=Report(
                report_id=names["report"],
                thread_id=names["thread"],
                far_system=system,
                source=system,
                received_at=at,
                document=DocumentRef(document_id=names["document"], sha256="0" * 64, node="bench", row=self._told),
                told=Telling(event_at=at, place=where, description=f"{one.what} {dice.choice(DOES)} {one.where}"),
            ),
            unit=UNIT,
            place=where,
            category=one.category,
            cap_category=self._catalogue.category(one.category).cap,
            urgency=Urgency.ORDINARY,
            urgency_rule="bench",
            event_at=at,
        )
        value, headers = record(told, id=names["report"], source="/bench")
        return Record(LOG, 0, self._told, b"", value, headers, round(max(at, self.now).timestamp() * 1000))


class _Values:
    """The state as the step finds it, with nothing counted beside."""

    __slots__ = ("get",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.get = values.get


def measure(open_incidents: int, reports: int) -> dict[str, Any]:
    """Play `reports` against so many open incidents; what the step took, and what it decided."""
    catalogue = built_in()
    processor = incidents.processor(incident_reference.load(catalogue))
    storm, memory = Storm(catalogue, open_incidents), Memory()
    known = list(_opened(storm, memory, processor, open_incidents))
    after = MINUTES * 60
    storm.now = BEGAN + timedelta(seconds=after + LATER_SECONDS)
    now_ms = round(1000 * storm.now.timestamp())
    while (due := incidents.due(memory)) is not None and due <= now_ms:
        # What was due by then is done before, not with every step that is measured.
        memory.apply(processor.step(memory, storm.told(storm.matter(), after)))
    dice = random.Random(2)
    load = [
        storm.told(
            dice.choice(known) if dice.random() < AGAIN else storm.matter(), after + dice.uniform(0, LATER_SECONDS)
        )
        for _ in range(reports + WARM)
    ]
    took, looked, decided = _played(processor, memory, load)
    per_second = len(took) / sum(took)
    aim, aim_ms = AIMS.get(open_incidents, (None, None))
    return {
        "compiled": is_compiled(),
        "open_incidents": sum(key.startswith(INCIDENT) for key in memory.values),
        "reports": len(took),
        "per_second": round(per_second),
        "aim_per_second": aim,
        "step_ms": percentiles([1000 * one for one in took], digits=3),
        "aim_p99_ms": aim_ms,
        "incidents_looked_at": percentiles(looked),
        "decided": dict(sorted(decided.items())),
    }


def _opened(storm: Storm, memory: Memory, processor: Processor, count: int) -> Iterator[Matter]:
    """So many open incidents, over the last half hour."""
    number = 0
    while number < count:
        one = storm.matter()
        outcome = processor.step(memory, storm.told(one, MINUTES * 60 * number / count))
        if _decided(outcome.outputs) == "IncidentOpened":
            memory.apply(outcome)
            number += 1
            yield one


def _played(processor: Processor, memory: Memory, load: list[Record]) -> tuple[list[float], list[float], Counter[str]]:
    took: list[float] = []
    looked: list[float] = []
    decided: Counter[str] = Counter()
    for one in load[:WARM]:
        memory.incidents = 0
        processor.step(memory, one)
        looked.append(memory.incidents)
    state = _Values(memory.values)
    gc.collect()
    gc.freeze()
    try:
        for one in load[WARM:]:
            began = time.perf_counter()
            outcome = processor.step(state, one)
            took.append(time.perf_counter() - began)
            decided[_decided(outcome.outputs)] += 1
    finally:
        gc.unfreeze()
    return took, looked, decided


def _decided(outputs: Any) -> str:
    """Linked, suggested or opened alone: the heaviest of what the step told."""
    told = {orjson.loads(one.value)["change"]["kind"] for one in outputs if one.topic == FACTS}
    return next((kind for kind in ("ReportLinked", "LinkSuggested", "IncidentOpened") if kind in told), "other")


@click.command("correlate")
@click.option("--open", "opens", type=click.IntRange(1, 100_000), multiple=True, default=OPEN, show_default=True)
@click.option("--reports", type=click.IntRange(min=1), default=10_000, show_default=True, help="Steps measured, each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line for each number of open incidents.")
def command(*, opens: tuple[int, ...], reports: int, as_json: bool) -> None:
    """Reports through the pure step that links them, on one core, with so many incidents open around."""
    refuse_other_sources()
    for one in opens:
        found = measure(one, reports)
        click.echo(orjson.dumps(found) if as_json else "\n".join(f"{name:22}{told}" for name, told in found.items()))
