"""What route remembers of its deliveries: the last one of each subject and recipient, whole, and whether it was urgent.

Keys of the state:

    d|<subject>|<recipient>   urgent once, id, bytes, and where the ring's hand stood when it was used last
    i|<delivery>              the key under which this delivery is kept
    d#                        where the ring's hand stands, a number that only grows
    d#<n>                     what stands in slot n of the ring

Bounded as a clock with a hand: a new pair takes the next slot. What was used since the hand was there last stays, and
the hand goes on; so a long incident is forgotten only when nothing went out for it while so many others came.
"""

from typing import Any, Final

from streams.contract import State

LOOKS: Final = 16
"""Slots that the hand passes for one new pair at most: bounds a step where everything is in use."""
_HAND: Final = "d#"

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

    def by_id(self, delivery_id: str) -> Kept | None:
        """The delivery with this id, if it is still the last one of its subject and recipient."""
        key = self._get(f"i|{delivery_id}")
        found: Kept | None = self._get(key) if key is not None else None
        return found

    def keep(self, subject: str, recipient: str, delivery_id: str, text: str, *, urgent: bool) -> None:
        """Remember a delivery in place of the one before. The same one again changes nothing."""
        key = _key(subject, recipient)
        before = self.last(subject, recipient)
        if before is None:
            used = self._taken(key)
        elif before["id"] == delivery_id:
            return
        else:
            self._drop(f"i|{before['id']}")
            used = int(self._get(_HAND) or 0)
        self._put(key, {"u": urgent, "id": delivery_id, "b": text, "n": used})
        self._put(f"i|{delivery_id}", key)

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
