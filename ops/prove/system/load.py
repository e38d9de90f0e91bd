"""What the partners of a proof tell, in order: call centres and desks. The same seed tells the same. Pure."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ops.prove.system.known import BAD
from ops.prove.system.role import RAISES

BOX: Final = (51.55, 51.95, 17.85, 18.45)
"""South, north, west, east: about the county."""
CATEGORIES: Final = ("traffic.collision", "crime.theft", "order.disturbance", "person.helpless", "traffic.obstruction")
URGENT: Final = "crime.domestic"
MIX: Final = (("new", 68), ("duplicate", 10), ("update", 12), ("repeat-call", 8), ("cancellation", 2))
"""What is told, per hundred."""
REMEMBERED: Final = 60
"""Forms that a producer may come back to."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell: which source hears it, its bytes, and what it is."""

    what: str
    source: str
    far_id: str
    identity: str
    body: bytes
    urgent: bool = False
    content_type: str = "application/json"


@dataclass(slots=True)
class Listed:
    """Messages in a fixed order, each once."""

    name: str
    messages: Sequence[Message]
    number: int = 0

    def next(self) -> Message | None:
        """The next message; None after the last."""
        self.number += 1
        return self.messages[self.number - 1] if self.number <= len(self.messages) else None


@dataclass(slots=True)
class Script:
    """What one producer tells, in its order. The same seed gives the same messages. Pure."""

    name: str
    connector: str
    sources: Sequence[str]
    dice: random.Random
    forms: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    number: int = 0
    raising: tuple[str, ...] = ()
    """Processors whose step shall raise for some messages, and how often: one in `raise_every`."""
    raise_every: int = 200

    def next(self) -> Message:
        """The next message."""
        kinds = [kind for kind, _ in MIX]
        what = self.dice.choices(kinds, [weight for _, weight in MIX])[0]
        self.number += 1
        if self.raising and self.number % self.raise_every == 0:
            return self._raising()
        if what == "new" or not self.forms:
            return self._new()
        if self.connector == "desk" and what in {"update", "cancellation"}:
            return self._new()
        source, known = self.forms[-self.dice.randint(1, min(len(self.forms), REMEMBERED))]
        if what == "duplicate":
            return self._told("duplicate", source, known)
        if what == "repeat-call":
            return self._repeat_call(source, known)
        return self._later(what, source, known)

    def _new(self) -> Message:
        source = self.dice.choice(self.sources)
        south, north, west, east = BOX
        place = {"lat": round(self.dice.uniform(south, north), 5), "lon": round(self.dice.uniform(west, east), 5)}
        return self._form(source, place, "new")

    def _form(self, source: str, place: Mapping[str, Any], what: str, category: str = "") -> Message:
        urgent = self.dice.random() < 0.15
        form: dict[str, Any] = {
            self._key: f"{self.name}-{self.number}",
            "place": {**place, "uncertainty_m": 30, "locality": "Kalisz"},
            "category": category or (URGENT if urgent else self.dice.choice(CATEGORIES)),
            "description": "Zgłoszenie próbne: " + "treść zmyślona. " * self.dice.randint(1, 12),
            "caller": {"first_name": "Anna", "surname": "Zmyślona", "phone": f"+4860{self.dice.randrange(10**7):07d}"},
        }
        if self.connector == "cpr":
            form |= {"revision": 1, "handling_status": "SUBMITTED"}
        self.forms.append((source, form))
        return self._told(what, source, form)

    def _repeat_call(self, source: str, known: Mapping[str, Any]) -> Message:
        """Somebody else calls about the same matter, some metres away."""
        near = {
            "lat": round(known["place"]["lat"] + self.dice.gauss(0, 0.0004), 5),
            "lon": round(known["place"]["lon"] + self.dice.gauss(0, 0.0006), 5),
        }
        return self._form(source, near, "repeat-call", known["category"])

    def _later(self, what: str, source: str, known: dict[str, Any]) -> Message:
        newer = {**known, "revision": known["revision"] + 1, "description": known["description"] + "Dzwoni ponownie."}
        if what == "cancellation":
            newer["handling_status"] = "CANCELLED"
        at = next(i for i, (_, form) in enumerate(self.forms) if form is known)
        self.forms[at] = (source, newer)
        return self._told(what, source, newer)

    def _raising(self) -> Message:
        processor = self.raising[self.number // self.raise_every % len(self.raising)]
        source = self.dice.choice(self.sources)
        form: dict[str, Any] = {
            self._key: f"{self.name}-raise-{self.number}",
            "place": {"lat": 51.76, "lon": 18.09},
            "category": CATEGORIES[0],
            "description": f"{RAISES}-{processor}",
        }
        return self._told(BAD, source, form)

    @property
    def _key(self) -> str:
        return "cpr_id" if self.connector == "cpr" else "entry_id"

    def _told(self, what: str, source: str, form: Mapping[str, Any]) -> Message:
        far_id = form[self._key]
        identity = f"{source}|{far_id}|{form.get('revision', '')}"
        urgent = form["category"] == URGENT
        return Message(what, source, far_id, identity, orjson.dumps(form), urgent=urgent)
