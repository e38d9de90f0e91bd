"""What route remembers: of each subject and recipient whether it was urgent, and the deliveries it may send again.

Keys of the state:

    d|<subject>|<recipient>   urgent once, the last delivery's id, where the ring's hand stood when it was used last,
                              what the subject was when a rule named the recipient: category, urgency, flags
    d#                        where the ring's hand stands, a number that only grows
    d#<n>                     what stands in slot n of the ring
    b|<delivery>              the bytes of a delivery, also of one that a later one has followed
    b#, b#<n>                 the same for the ring of deliveries

Both rings are bounded. That of pairs is a clock with a hand: a new pair takes the next slot. What was used since the
hand was there last stays, and the hand goes on; so a long incident is forgotten only when nothing went out for it while
so many others came. That of deliveries lets the oldest go: what was lost is missed within minutes, not days.

An older state held the bytes in the pair (`b`) and `i|<delivery>` named the pair; such a delivery is still found.
"""

from collections.abc import Sequence
from typing import Any, Final

from streams.contract import State

LOOKS: Final = 16
"""Slots that the hand passes for one new pair at most: bounds a step where everything is in use."""
_HAND: Final = "d#"
_BYTES_HAND: Final = "b#"

Kept = dict[str, Any]


class Deliveries:
    """The deliveries that one step remembers, with its own changes on top of the state."""

    def __init__(self, state: State, limit: int) -> None:
        self._state, self._limit = state, limit
        self.puts: dict[str, object] = {}
        self._deletes: dict[str, None] = {}

    @property
    def deletes(self) -> tuple[str, ...]:
        """Keys to forget."""
        return tuple(self._deletes)

    def last(self, subject: str, recipient: str) -> Kept | None:
        """The last delivery to the recipient about the subject."""
        found: Kept | None = self._get(_key(subject, recipient))
        return found

    def by_id(self, delivery_id: str) -> str | None:
        """The bytes of the delivery with this id, if it is among the last so many."""
        text: str | None = self._get(f"b|{delivery_id}")
        if text is not None:
            return text
        key = self._get(f"i|{delivery_id}")
        older: Kept | None = self._get(key) if key is not None else None
        return older.get("b") if older and older["id"] == delivery_id else None

    def keep(
        self, subject: str, recipient: str, delivery_id: str, text: str, was: Sequence[Any] | None, *, urgent: bool
    ) -> None:
        """Remember a delivery and that it is the pair's last. The same one again changes nothing.

        `was`: what the subject is, by which a rule named the recipient; None: as known.
        """
        key = _key(subject, recipient)
        before = self.last(subject, recipient)
        if before is None:
            used = self._taken(key)
        elif before["id"] == delivery_id:
            return
        else:
            self._drop(f"i|{before['id']}")
            used = int(self._get(_HAND) or 0)
        known = before.get("v") if before is not None else None
        self._put(key, {"u": urgent, "id": delivery_id, "n": used, "v": known if was is None else list(was)})
        self._keep_bytes(delivery_id, text)

    def carry(self, subject: str, into: str, recipient: str) -> None:
        """The subject became part of another one: who was told of it is told what becomes of that."""
        before, key = self.last(subject, recipient), _key(into, recipient)
        if before is not None and self._get(key) is None:
            self._put(key, {**before, "n": self._taken(key)})

    def _keep_bytes(self, delivery_id: str, text: str) -> None:
        if self._get(f"b|{delivery_id}") is not None:
            return
        number = int(self._get(_BYTES_HAND) or 0)
        slot = f"{_BYTES_HAND}{number % self._limit}"
        oldest = self._get(slot)
        if oldest is not None:
            self._drop(f"b|{oldest}")
        self._put(slot, delivery_id)
        self._put(_BYTES_HAND, number + 1)
        self._put(f"b|{delivery_id}", text)

    def _taken(self, key: str) -> int:
        """Give the key the next slot whose pair was not used meanwhile, and forget that pair; the slot's number."""
        number = int(self._get(_HAND) or 0)
        last = number + LOOKS - 1
        while number < last and self._in_use(number):
            number += 1
        there = self._get(self._slot(number))
        if there is not None:
            self._drop(f"i|{self._get(there)['id']}")
            self._drop(there)
        self._put(self._slot(number), key)
        self._put(_HAND, number + 1)
        return number

    def _in_use(self, number: int) -> bool:
        """Whether something went out for the pair in the slot since the hand was there last (0: an older state)."""
        there = self._get(self._slot(number))
        return there is not None and self._get(there).get("n", 0) > number - self._limit

    def _slot(self, number: int) -> str:
        return f"{_HAND}{number % self._limit}"

    def _get(self, key: str) -> Any:
        if key in self.puts:
            return self.puts[key]
        return None if key in self._deletes else self._state.get(key)

    def _put(self, key: str, value: object) -> None:
        self.puts[key] = value
        self._deletes.pop(key, None)

    def _drop(self, key: str) -> None:
        self.puts.pop(key, None)
        self._deletes[key] = None


def _key(subject: str, recipient: str) -> str:
    return f"d|{subject}|{recipient}"
