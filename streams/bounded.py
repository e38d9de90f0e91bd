"""State that stays bounded: a partition remembers the last `limit` keys of a kind and forgets the oldest.

A State has no iteration and no clock, so the order of arrival is kept in slots of a ring: `<ring>#<n>` holds a key,
`<ring>#` the next number. Deterministic: the same records give the same ring.
"""

from typing import Any

from streams.contract import State


def remember(state: State, ring: str, key: str, limit: int, puts: dict[str, object]) -> str | None:
    """Note a new key in its ring; returns the key that falls out of it, for the caller to delete.

    Call once for a key that the state does not hold yet. `puts` gets two entries; it may hold earlier ones of the same
    step, which count.
    """
    head = f"{ring}#"
    number = int(_now(state, head, puts) or 0)
    slot = f"{head}{number % limit}"
    oldest: str | None = _now(state, slot, puts)
    puts[slot] = key
    puts[head] = number + 1
    return oldest


def _now(state: State, key: str, puts: dict[str, object]) -> Any:
    return puts[key] if key in puts else state.get(key)
