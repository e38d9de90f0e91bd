"""What was set aside and what became of it: the records of `quarantine`, folded into one item each. Pure.

Nothing leaves on its own: an item is open until a record says that somebody replayed, corrected or discarded it, and
open again as soon as it comes back after a replay.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from schemas.delivery import Handling, QuarantineHandled
from schemas.envelope import legible
from schemas.errors import Rejected
from schemas.wire import parse, type_name

HANDLED: Final = type_name(QuarantineHandled)
INTAKE: Final = "intake"
_OWN: Final = ("code", "at", "detail", "source", "document_id", "report_id", "delivery_id", "node", "topic", "peer")


class State(StrEnum):
    """Whether an item waits for a person."""

    OPEN = "open"
    REPLAYED = "replayed"
    CORRECTED = "corrected"
    DISCARDED = "discarded"


_ENDS: Final = {
    Handling.REPLAYED: State.REPLAYED,
    Handling.CORRECTED: State.CORRECTED,
    Handling.DISCARDED: State.DISCARDED,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing set aside, as its last record tells it. Times in ms; `place` is partition and offset in `quarantine`.

    `times`: how often it came here; `tries`: how often it was replayed. `pending`: a replay that began after it was
    last seen.
    """

    item_id: str
    stage: str
    key: bytes
    place: tuple[int, int]
    told: Mapping[str, Any]
    first_seen_ms: int
    last_seen_ms: int
    partition: int | None = None
    offset: int | None = None
    recipient: str | None = None
    trace: str | None = None
    times: int = 1
    tries: int = 0
    state: State = State.OPEN
    pending: str | None = None
    history: tuple[QuarantineHandled, ...] = ()

    @property
    def code(self) -> str:
        """Why it is here."""
        return str(self.told["code"])

    @property
    def ids(self) -> tuple[str, ...]:
        """Everything that it may be asked for by."""
        names = (self.told.get(name) for name in ("document_id", "report_id", "delivery_id"))
        return (self.item_id, *(one for one in names if one))

    def shown(self) -> dict[str, Any]:
        """For a person: no bytes, no text of the document."""
        own = {name: self.told[name] for name in _OWN if self.told.get(name) is not None}
        sent = {"partition": self.partition, "offset": self.offset, "recipient": self.recipient}
        end = next((one for one in reversed(self.history) if _ENDS.get(one.handling) is self.state), None)
        return {
            "item_id": self.item_id,
            "state": self.state.value,
            "stage": self.stage,
            **own,
            **{name: one for name, one in sent.items() if one is not None},
            "first_seen": _time(self.first_seen_ms),
            "last_seen": _time(self.last_seen_ms),
            "times": self.times,
            "tries": self.tries,
            "trace": f"/trace/{(self.ids[1:] or self.ids)[0]}",
            **({"traceparent": self.trace} if self.trace else {}),
            **({"resolved": _act(end)} if end else {}),
            "history": [_act(one) for one in self.history],
        }


def _act(one: QuarantineHandled) -> dict[str, Any]:
    return one.model_dump(mode="json", exclude_none=True, exclude={"item_id"})


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


class Shelf:
    """Every item by its id. `take` is called with the records of `quarantine`, each partition in its order."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.passed_over = 0
        """Records that could not be read."""

    def take(self, one: Any) -> None:
        """Fold one record in. What cannot be read is counted and passed over: those behind it are shown, too."""
        try:
            if legible(one.headers, "type") == HANDLED:
                self._handled(parse(QuarantineHandled, one.value))
            else:
                self._seen(one)
        except (Rejected, orjson.JSONDecodeError, KeyError, TypeError):
            self.passed_over += 1

    def _seen(self, one: Any) -> None:
        value = orjson.loads(one.value)
        known = self.items.get(value["item_id"])
        item = Item(
            item_id=str(value["item_id"]),
            stage=str(value["stage"]),
            key=one.key or b"",
            place=(one.partition, one.offset),
            told={name: value.get(name) for name in _OWN},
            first_seen_ms=one.timestamp,
            last_seen_ms=one.timestamp,
            partition=value.get("partition"),
            offset=value.get("offset"),
            recipient=legible(one.headers, "recipient"),
            trace=legible(one.headers, "traceparent"),
        )
        if known is not None:
            item = replace(
                item,
                first_seen_ms=min(known.first_seen_ms, one.timestamp),
                last_seen_ms=max(known.last_seen_ms, one.timestamp),
                times=known.times + 1,
                tries=known.tries,
                state=known.state if _decided(known) else State.OPEN,
                history=known.history,
            )
        self.items[item.item_id] = item

    def _handled(self, act: QuarantineHandled) -> None:
        item = self.items.get(act.item_id)
        if item is None:  # its own record is gone by retention
            self.passed_over += 1
            return
        item = replace(item, history=(*item.history, act))
        if act.handling is Handling.REPLAYING:
            item = replace(item, tries=item.tries + 1, pending=act.handling_id)
        elif act.handling is Handling.REFUSED:
            item = replace(item, pending=None)
        elif act.handling is not Handling.REPLAYED or item.pending == act.handling_id:
            item = replace(item, state=_ENDS[act.handling], pending=None)
        self.items[item.item_id] = item

    def find(self, id: str) -> Item | None:
        """The item of that item, document, report or delivery id; an unambiguous beginning suffices."""
        some = [one for one in self.items.values() if any(name.startswith(id) for name in one.ids)]
        exact = [one for one in some if id in one.ids]
        return exact[0] if exact else some[0] if len(some) == 1 else None


def _decided(known: Item) -> bool:
    """Whether the same thing seen again stays as a person left it: the same document's bytes, judged already.

    Of all else only the cause is the same, and it may go wrong for another reason now.
    """
    return known.stage == INTAKE and known.state in {State.CORRECTED, State.DISCARDED}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items are meant: empty means all. Times are those of last sight, in ms."""

    codes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    since_ms: int = 0
    until_ms: int = 2**62

    def holds(self, item: Item) -> bool:
        """Whether this one is meant."""
        pairs = (
            (self.codes, item.code),
            (self.sources, item.told.get("source") or ""),
            (self.stages, item.stage),
            (self.states, item.state.value),
        )
        return (
            all(not some or one in some for some, one in pairs) and self.since_ms <= item.last_seen_ms < self.until_ms
        )

    def of(self, items: Iterable[Item]) -> list[Item]:
        """Those that are meant, oldest first."""
        return sorted((one for one in items if self.holds(one)), key=lambda one: (one.first_seen_ms, one.item_id))


def histogram(items: Iterable[Item]) -> list[dict[str, Any]]:
    """How many by reason, stage and source, most first, with the oldest's time."""
    counts: Counter[tuple[str, str, str]] = Counter()
    oldest: dict[tuple[str, str, str], int] = {}
    for one in items:
        name = (one.code, one.stage, str(one.told.get("source") or one.recipient or one.told.get("topic") or ""))
        counts[name] += 1
        oldest[name] = min(oldest.get(name, one.first_seen_ms), one.first_seen_ms)
    return [
        {"code": name[0], "stage": name[1], "source": name[2], "items": count, "oldest": _time(oldest[name])}
        for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]
