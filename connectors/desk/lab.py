"""An officer for tests: types entries as the page's form sends them."""

from typing import Any

import orjson


class DeskLab:
    """Numbers its entries; every method gives the bytes to POST."""

    content_type = "application/json"

    def __init__(self) -> None:
        self._count = 0

    def documents(self, count: int) -> list[bytes]:
        """That many entries."""
        return [self.entry() for _ in range(count)]

    def revisions(self, count: int) -> list[bytes]:
        """One entry that is sent again with other words, that many together."""
        return [self.entry(entry_id="lab-matter", description=f"Hałas, {number}. telefon") for number in range(count)]

    def entry(self, **changes: Any) -> bytes:
        """A new entry; `changes` replace or add fields."""
        self._count += 1
        entry: dict[str, Any] = {
            "entry_id": f"lab-{self._count}",
            "channel": "telephone",
            "category": "order.noise",
            "locality": "Kalisz",
            "street": "Polna",
            "building": str(self._count),
            "description": "Hałas po północy",
            **changes,
        }
        return orjson.dumps(entry)

    def broken(self) -> bytes:
        """An entry that says nothing."""
        return orjson.dumps({"entry_id": "empty"})
