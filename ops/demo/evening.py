"""The script of the demo's evening: who says what, when. Pure: the same seed gives the same evening.

Everything here is invented: names, numbers, addresses with rounded coordinates. About ten messages a second: first
reports, calls about the same thing, updates, exact repeats, desk entries, panel alarms, a cancellation, a malformed
form; halfway a storm.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

RATE_PER_SECOND: Final = 10.0
STORM_FROM: Final = 0.5
"""Share of the evening after which the storm brings most reports."""


class Far(StrEnum):
    """Who speaks."""

    CPR = "cpr"
    DESK = "desk"
    PANEL = "panel"
    BROKEN = "broken"
    """A CPR message that is no JSON."""


@dataclass(frozen=True, slots=True)
class Act:
    """One message: `second` after the beginning, from whom, its content as the far side's fields."""

    second: float
    far: Far
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where something may happen: street, number, locality, point."""

    street: str
    building: str
    locality: str
    lat: float
    lon: float


SCENES: Final = (
    Scene("Główny Rynek", "20", "Kalisz", 51.7620, 18.0910),
    Scene("Śródmiejska", "14", "Kalisz", 51.7600, 18.0895),
    Scene("Górnośląska", "61", "Kalisz", 51.7510, 18.0790),
    Scene("Wrocławska", "30", "Kalisz", 51.7480, 18.0660),
    Scene("Łódzka", "19", "Kalisz", 51.7570, 18.1150),
    Scene("Stawiszyńska", "45", "Kalisz", 51.7760, 18.0930),
    Scene("Częstochowska", "110", "Kalisz", 51.7470, 18.0970),
    Scene("Poznańska", "79", "Kalisz", 51.7580, 18.0600),
    Scene("Majkowska", "22", "Kalisz", 51.7720, 18.0830),
    Scene("Warszawska", "5", "Kalisz", 51.7700, 18.1100),
    Scene("Podmiejska", "9", "Kalisz", 51.7450, 18.0850),
    Scene("Nowy Świat", "37", "Kalisz", 51.7560, 18.0960),
    Scene("Harcerska", "3", "Kalisz", 51.7630, 18.0950),
    Scene("Kościelna", "2", "Opatówek", 51.7390, 18.2220),
    Scene("Kaliska", "14", "Blizanów", 51.8600, 18.0130),
    Scene("Rynek", "7", "Koźminek", 51.7880, 18.3320),
    Scene("Główna", "31", "Żelazków", 51.8420, 18.1830),
    Scene("Pleszewska", "6", "Stawiszyn", 51.9180, 18.1130),
)
KINDS: Final = (
    ("traffic.collision", "Dwa auta, bez rannych, jeden pas zablokowany"),
    ("traffic.accident", "Potrącenie pieszego na przejściu"),
    ("order.disturbance", "Głośna grupa, tłuczone butelki"),
    ("crime.domestic", "Krzyki i wołanie o pomoc z mieszkania"),
    ("crime.theft", "Kradzież roweru sprzed sklepu"),
    ("person.helpless", "Mężczyzna leży na chodniku, oddycha"),
    ("crime.burglary", "Wybita szyba, ktoś jest w środku"),
)
STORM_KINDS: Final = (
    ("traffic.obstruction", "Drzewo leży w poprzek jezdni"),
    ("env.weather", "Zerwany dach, blachy na ulicy"),
    ("infra.power", "Konar na przewodach i jezdni"),
)
NAMES: Final = ("Anna Wymyślona", "Piotr Zmyślony", "Maria Przykładowa", "Jan Testowy", "Ewa Niebyła")


@dataclass(slots=True)
class _Writer:
    """Keeps what was said so far, so that later acts may speak of it."""

    dice: random.Random
    length: float
    forms: list[dict[str, Any]] = field(default_factory=list)
    sequence: int = 0

    def act(self, second: float) -> Act:
        """The next message."""
        storm = second > self.length * STORM_FROM
        choices = (
            (self.first, 30),
            (self.same_scene, 30 if storm else 16),
            (self.update, 14),
            (self.repeat, 8),
            (self.desk, 10),
            (self.panel, 16),
            (self.cancellation, 2),
            (self.broken, 1),
        )
        writers = [writer for writer, _ in choices]
        chosen: Callable[[float, bool], Act] = self.dice.choices(writers, [weight for _, weight in choices])[0]
        return chosen(second, storm)

    def first(self, second: float, storm: bool) -> Act:  # noqa: FBT001 -- one shape for all acts
        """A new form of the emergency call centre."""
        scene = self.dice.choice(SCENES)
        kind, text = self.dice.choice(STORM_KINDS if storm and self.dice.random() < 0.7 else KINDS)
        return self._say(second, self._form(scene, kind, text))

    def same_scene(self, second: float, storm: bool) -> Act:  # noqa: FBT001
        """Another caller about something that was told in the last minute: a new form of the same matter."""
        if not self.forms:
            return self.first(second, storm)
        known = self.dice.choice(self.forms[-40:])
        place = known["place"]
        near = {
            **place,
            "lat": round(place["lat"] + self.dice.gauss(0, 0.0006), 5),
            "lon": round(place["lon"] + self.dice.gauss(0, 0.0009), 5),
        }
        form = self._form(SCENES[0], known["category"], known["description"])
        return self._say(second, {**form, "place": near})

    def update(self, second: float, storm: bool) -> Act:  # noqa: FBT001
        """The operator learnt more: same number, next revision."""
        if not self.forms:
            return self.first(second, storm)
        at = self.dice.randrange(max(0, len(self.forms) - 60), len(self.forms))
        newer = {
            **self.forms[at],
            "revision": self.forms[at]["revision"] + 1,
            "description": self.forms[at]["description"] + ". Zgłaszający dzwoni ponownie.",
        }
        self.forms[at] = newer
        return Act(second, Far.CPR, newer)

    def repeat(self, second: float, storm: bool) -> Act:  # noqa: FBT001
        """The same bytes once more, as a sender does that got no answer."""
        return Act(second, Far.CPR, self.dice.choice(self.forms[-20:])) if self.forms else self.first(second, storm)

    def desk(self, second: float, storm: bool) -> Act:  # noqa: FBT001
        """Somebody calls the post itself; now and then about a form that exists."""
        scene = self.dice.choice(SCENES)
        kind, text = self.dice.choice(STORM_KINDS if storm else KINDS)
        self.sequence += 1
        entry: dict[str, Any] = {
            "entry_id": f"demo-{self.sequence}",
            "channel": self.dice.choice(("telephone", "radio", "visitor", "patrol")),
            "category": kind,
            "description": text,
            "street": scene.street,
            "building": scene.building,
            "locality": scene.locality,
        }
        if self.forms and self.dice.random() < 0.3:
            entry["cpr_id"] = self.dice.choice(self.forms)["cpr_id"]
        return Act(second, Far.DESK, entry)

    def panel(self, second: float, storm: bool) -> Act:  # noqa: FBT001, ARG002
        """An alarm panel: burglary, hold-up, restoral, test."""
        self.sequence += 1
        code = self.dice.choice(("BA", "BA", "PA", "TA", "BR", "RP"))
        return Act(
            second,
            Far.PANEL,
            {"account": self.dice.choice(("1001", "1002", "1003")), "code": code, "zone": str(self.dice.randint(1, 8))},
        )

    def cancellation(self, second: float, storm: bool) -> Act:  # noqa: FBT001
        """The call centre takes a form back."""
        if not self.forms:
            return self.first(second, storm)
        form = self.forms.pop(self.dice.randrange(len(self.forms)))
        return Act(second, Far.CPR, {**form, "revision": form["revision"] + 1, "handling_status": "CANCELLED"})

    def broken(self, second: float, storm: bool) -> Act:  # noqa: FBT001, ARG002
        """A message cut off in the middle: quarantined, answered with what is wrong."""
        self.sequence += 1
        return Act(
            second, Far.BROKEN, {"text": f'{{"cpr_id": "PL-3061-BROKEN-{self.sequence}", "place": {{"lat": 51.7'}
        )

    def _form(self, scene: Scene, kind: str, text: str) -> dict[str, Any]:
        self.sequence += 1
        first, surname = self.dice.choice(NAMES).split(" ")
        return {
            "cpr_id": f"PL-3061-{self.sequence:06d}",
            "revision": 1,
            "taken_by": f"op-{self.dice.randint(1, 9)}",
            "place": {
                "locality": scene.locality,
                "street": scene.street,
                "building": scene.building,
                "lat": scene.lat,
                "lon": scene.lon,
            },
            "category": kind,
            "addressed_services": ["police"],
            "description": text,
            "caller": {
                "first_name": first,
                "surname": surname,
                "phone": f"+4860{self.dice.randint(1_000_000, 9_999_999)}",
            },
            "handling_status": "SUBMITTED",
        }

    def _say(self, second: float, form: dict[str, Any]) -> Act:
        self.forms.append(form)
        return Act(second, Far.CPR, form)


def evening(seconds: float, seed: int = 1, rate: float = RATE_PER_SECOND) -> Iterator[Act]:
    """The acts in order of time. The first eight are always one of each kind, so that the shortest evening has all."""
    writer = _Writer(random.Random(seed), seconds)  # noqa: S311 -- a script, not a secret
    opening = (
        writer.first,
        writer.same_scene,
        writer.first,
        writer.cancellation,
        writer.broken,
        writer.desk,
        writer.panel,
        writer.repeat,
    )
    for number in range(int(seconds * rate)):
        at = number / rate
        yield opening[number](at, False) if number < len(opening) else writer.act(at)  # noqa: FBT003
